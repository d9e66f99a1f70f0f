"""A pass over samples as index batches."""

from collections.abc import Iterator

import torch
from torch import Tensor

from expunge.data.augment import augment, draw_changes
from expunge.types import Context, Images


def shuffled_batches(
    index: Tensor, batch_size: int, generator: torch.Generator, least: int = 2
) -> list[Tensor]:
    """`index` in random order, cut into batches; every sample once.

    A last batch of fewer than `least` samples joins the one before: batch normalisation needs two
    samples, data-parallel training one a device.
    """
    order = index[torch.randperm(len(index), generator=generator)]
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) < least:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def augmented_shares(
    images: Images,
    labels: Tensor,
    batches: list[Tensor],
    context: Context,
    draws: torch.Generator,
) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's share of every index batch: augmented images, and labels, on the device.

    `images` are handed out there, `labels` are on the CPU. Process r of w gets samples r, r + w, …
    of a batch.
    """
    own = slice(context.fabric.global_rank, None, context.fabric.world_size)
    shares = [batch[own] for batch in batches]
    labelled = with_labels(images, labels, shares, context.device)
    for batch, (pixels, some) in zip(batches, labelled, strict=True):
        # Every process draws for the whole batch: the images are the same for any number of them.
        changes = draw_changes(context.augmentation, len(batch), draws).take(own)
        yield augment(pixels, changes), some


def with_labels(
    images: Images, labels: Tensor, batches: list[Tensor], device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels `(B,)` of every index batch, on the device that `images` are handed out on.

    Labels go there all at once: a copy for each batch would make the host wait for the device.
    """
    if not batches:
        return
    chosen = labels[torch.cat(batches)].to(device)
    yield from zip(
        images.batches(batches), chosen.split([len(batch) for batch in batches]), strict=True
    )
