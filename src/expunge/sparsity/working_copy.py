"""A copy of a network for a pruner to compute gradients on."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from expunge.sparsity.mask import apply_mask, prunable
from expunge.sparsity.pruner import Layer
from expunge.types import Mask


def working_copy(
    model: nn.Module, layers: Sequence[Layer], mask: Mask | None, device: torch.device
) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """A copy of `model` on `device` under `mask`, in evaluation mode, and its prunable weights.

    Only these weights require gradients.

    Raises:
        MaskError: the mask does not belong to this model, or the model has no prunable weights.
    """
    network = copy.deepcopy(model).to(device).eval().requires_grad_(False)
    if mask is not None:
        apply_mask(network, mask)
    weights = prunable(network, layers)
    for weight in weights.values():
        weight.requires_grad_(True)
    return network, weights
