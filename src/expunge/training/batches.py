"""A pass over samples as index batches."""

import torch
from torch import Tensor


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
