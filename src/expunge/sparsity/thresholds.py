"""Sparsity at thresholds: an ℓ1 penalty leaves few weights at zero, and many near it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from expunge.sparsity.mask import prunable, zero_share
from expunge.types import Mask

THRESHOLDS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
"""Magnitudes at which sparsity is reported."""


def counted_weights(model: nn.Module, mask: Mask | None = None) -> list[str]:
    """The names of the weights that sparsity is counted over.

    These are the weights in `mask`; without a mask, the weights that are prunable by default: those
    of convolutions, or, in a network without any, of linear layers except the head.

    Raises:
        MaskError: the model has neither.
    """
    return list(prunable(model) if mask is None else mask)


def sparsity_at(
    weights: Sequence[Tensor], thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, float]:
    """The fraction of entries with |w| <= t, 0 to 1, for each threshold t, keyed by its text.

    >>> import torch
    >>> sparsity_at([torch.tensor([0.0, 0.05])], (0.0, 0.1))
    {'0': 0.5, '0.1': 1.0}

    Raises:
        MaskError: there is nothing to count.
    """
    return {f"{value:g}": zero_share(weights, value) for value in thresholds}
