"""Normalisation as the first layer of a network, so images stay in [0, 1] everywhere else."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalise(nn.Module):
    """Subtracts a mean from every channel and divides by a standard deviation.

    Images are `(B, C, H, W)` floats in [0, 1]; `mean` and `std` are buffers `(C,)`, saved with the
    weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(tuple(mean), dtype=torch.float32))
        self.register_buffer("std", torch.tensor(tuple(std), dtype=torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """`(images - mean) / std`, channel by channel."""
        return (images - self.mean[:, None, None]) / self.std[:, None, None]
