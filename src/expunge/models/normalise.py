"""Normalisation as the first layer of a network, so that inputs stay raw everywhere else."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalise(nn.Module):
    """Subtracts a mean from every channel or feature and divides by a standard deviation.

    Images are `(B, C, H, W)` floats in [0, 1], vectors `(B, C)`; `mean` and `std` are buffers
    `(C,)`, saved with the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(tuple(mean), dtype=torch.float32))
        self.register_buffer("std", torch.tensor(tuple(std), dtype=torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        """`(inputs - mean) / std`, channel by channel."""
        each = (-1, *(1,) * (inputs.ndim - 2))
        return (inputs - self.mean.view(each)) / self.std.view(each)
