"""One pass over the samples, as batches of indices."""

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
    """`index` in random order, split into batches; every sample appears once.

    A last batch of one sample is merged into the one before: batch normalisation needs two.
    """
    order = index[torch.randperm(len(index), generator=generator)]
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def batch_count(count: int, batch_size: int) -> int:
    """How many batches `shuffled_batches` makes from `count` samples."""
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
    """This process's share of each index batch: augmented inputs, and labels, on the device.

    `inputs` yields batches on the device; `labels` is on the CPU.
    """
    own = [own_share(len(batch), context.fabric) for batch in batches]
    shares = [batch[mine] for batch, mine in zip(batches, own, strict=True)]
    labelled = with_labels(inputs, labels, shares, context.device)
    for batch, mine, (given, some) in zip(batches, own, labelled, strict=True):
        if context.augmentation == Augmentation() or not isinstance(given, Tensor):
            yield given, some
            continue
        # Each process draws for the whole batch, so images do not depend on how many there are.
        changes = draw_changes(context.augmentation, len(batch), draws).take(mine)
        yield augment(given, changes), some


def with_labels(
    inputs: Inputs, labels: Tensor, batches: list[Tensor], device: torch.device
) -> Iterator[tuple[Batch, Tensor]]:
    """The inputs and labels `(B,)` of each index batch, on the device of `inputs`.

    All labels are copied at once: one copy per batch would make the host wait for the device.
    """
    if not batches:
        return
    chosen = labels[torch.cat(batches)].to(device)
    sizes = [len(batch) for batch in batches]
    yield from zip(inputs.batches(batches), torch.split(chosen, sizes), strict=True)
