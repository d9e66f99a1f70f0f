"""A pass over samples as index batches."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from expunge.batch import Batch
from expunge.data.augment import augment, draw_changes
from expunge.settings import Augmentation
from expunge.training.share import own_share
from expunge.types import Context, Inputs


def shuffled_batches(index: Tensor, batch_size: int, generator: torch.Generator) -> list[Tensor]:
    """`index` in random order, cut into batches; every sample once.

    A last batch of one sample joins the one before: batch normalisation needs two.
    """
    order = index[torch.randperm(len(index), generator=generator)]
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def batch_count(count: int, batch_size: int) -> int:
    """How many batches `shuffled_batches` cuts `count` samples into."""
    batches = math.ceil(count / batch_size)
    last = count - (batches - 1) * batch_size
    return batches - (batches > 1 and last == 1)


def augmented_shares(
    inputs: Inputs,
    labels: Tensor,
    batches: list[Tensor],
    context: Context,
    draws: torch.Generator,
) -> Iterator[tuple[Batch, Tensor]]:
    """This process's share of every index batch: augmented inputs, and labels, on the device.

    `inputs` are handed out there, `labels` are on the CPU.
    """
    own = [own_share(len(batch), context.fabric) for batch in batches]
    shares = [batch[mine] for batch, mine in zip(batches, own, strict=True)]
    labelled = with_labels(inputs, labels, shares, context.device)
    for batch, mine, (given, some) in zip(batches, own, labelled, strict=True):
        if context.augmentation == Augmentation() or not isinstance(given, Tensor):
            yield given, some
            continue
        # Every process draws for the whole batch: the images are the same for any number of them.
        changes = draw_changes(context.augmentation, len(batch), draws).take(mine)
        yield augment(given, changes), some


def with_labels(
    inputs: Inputs, labels: Tensor, batches: list[Tensor], device: torch.device
) -> Iterator[tuple[Batch, Tensor]]:
    """Inputs and labels `(B,)` of every index batch, on the device that `inputs` are handed out on.

    Labels go there all at once: a copy for each batch would make the host wait for the device.
    """
    if not batches:
        return
    chosen = labels[torch.cat(batches)].to(device)
    sizes = [len(batch) for batch in batches]
    yield from zip(inputs.batches(batches), torch.split(chosen, sizes), strict=True)
