"""Tell from its weights whether a network is sparse."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from expunge.errors import MaskError, some
from expunge.sparsity.mask import prunable
from expunge.sparsity.pruner import Layer
from expunge.types import Mask

MANY = 0.01
"""From this share of exact zeros on, a network is taken as sparse: training leaves hardly any."""

_KINDS: dict[Layer, str] = {"conv": "convolutions", "linear": "linear layers"}


def mask_of_zeros(
    model: nn.Module, known: Mapping[str, Tensor] | None = None
) -> tuple[Mask | None, tuple[str, ...]]:
    """The mask that keeps the exact zeros of a sparse network, and notes for people.

    The mask covers all convolutions, or all linear layers, of which at least the share `MANY` is
    zero, or for which `known` has masks, by parameter name; where it has one, that is used. A layer
    that is zero as a whole is kept: nobody prunes a layer so. None for a network that is not
    sparse.
    """
    known = known or {}
    mask: dict[str, Tensor] = {}
    notes: list[str] = []
    for kind, name in _KINDS.items():
        try:
            weights = prunable(model, (kind,))
        except MaskError:
            continue  # no such layers
        zeros = {each: int((weight == 0).sum()) for each, weight in weights.items()}
        share = sum(zeros.values()) / sum(weight.numel() for weight in weights.values())
        if share < MANY and weights.keys().isdisjoint(known):
            continue
        whole = [each for each, weight in weights.items() if zeros[each] == weight.numel()]
        for each, weight in weights.items():
            entry = known.get(each, torch.ones_like(weight) if each in whole else weight != 0)
            mask[each] = entry.detach().bool().cpu()
        notes.append(
            f"{share:.1%} of the weights of the {name} are exactly zero: the model is taken as "
            "sparse, and they stay zero in unlearning and retraining"
            + (f", but not those of {some(whole)}, which are all zero" if whole else "")
        )
    return mask or None, tuple(notes)
