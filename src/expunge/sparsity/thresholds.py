"""Sparsity at thresholds: an ℓ1 penalty leaves few weights at zero, and many near it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from expunge.errors import MaskError
from expunge.sparsity.layers import TYPES, layer_weights
from expunge.sparsity.mask import zero_share
from expunge.types import Mask

THRESHOLDS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
"""Magnitudes at which sparsity is reported."""


def counted_weights(model: nn.Module, mask: Mask | None = None) -> dict[str, Tensor]:
    """The weights that sparsity is counted over, by name, as the layers use them.

    These are the weights in `mask`; without a mask, the weights that are prunable by default: those
    of convolutions, or, in a network without any, of linear layers except the head. Weights that
    are computed, as by a weight norm, are among them, under the name of a plain weight.

    Raises:
        MaskError: the model has neither.
    """
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    if mask is not None:
        layers = {each.parameter: each for kind in TYPES for each in layer_weights(model, kind)}
        plain = {name: parameters[name] for name in mask if name not in layers}
        return {layers[name].name: layers[name].value() for name in mask if name in layers} | plain
    found = {
        each.name: each.value()
        for each in layer_weights(model, "auto")
        if each.makers or each.parameter in parameters
    }
    if not found:
        raise MaskError(
            f"{type(model).__name__} has no weights in convolutions or linear layers to count"
        )
    return found


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
