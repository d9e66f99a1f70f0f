"""The mask of a model that was pruned elsewhere: its weights hold many exact zeros."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from expunge.errors import MaskError
from expunge.sparsity.layers import TYPES, LayerWeight, layer_weights
from expunge.types import Mask

SHARE = 0.01
"""Training leaves no float at exactly zero: a weight with this share of zeros has been pruned."""


@torch.no_grad()
def mask_of_zeros(model: nn.Module) -> Mask | None:
    """The mask that prunes the exact zeros of a sparse model; None for a dense one.

    A model is sparse if a trainable weight of a convolution or linear layer, or another trainable
    parameter of two or more dimensions, has zeros in at least 1 % of its entries. A weight that is
    zero throughout may just be untrained, and counts only beside others. The mask covers all layers
    of the kinds in which it finds zeros. Biases, norms and padding rows of embeddings are ignored.
    The model is not changed.

    Raises:
        MaskError: a sparse weight is computed in a way that need not keep its zeros; names the
            layer.
    """
    parameters = dict(model.named_parameters())
    trainable = {name for name, parameter in parameters.items() if parameter.requires_grad}
    mask: dict[str, Tensor] = {}
    listed: set[str | None] = set()
    for kind in TYPES:
        weights = [
            each
            for each in layer_weights(model, kind)
            if each.parameter is None or each.parameter in parameters
        ]
        listed.update(each.parameter for each in weights)
        kept = [_values(each, parameters) != 0 for each in weights]
        if any(
            _is_sparse(entry)
            for each, entry in zip(weights, kept, strict=True)
            if each.parameter is None or each.parameter in trainable
        ):
            for each, entry in zip(weights, kept, strict=True):
                if each.parameter is not None:
                    mask[each.parameter] = entry
                elif not bool(entry.all()):
                    raise MaskError(_opaque(each, entry))
    padding = {
        id(module.weight): module.padding_idx
        for module in model.modules()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None
    }
    for name in sorted(trainable - listed, key=list(parameters).index):
        parameter = parameters[name]
        entry = parameter != 0
        if (row := padding.get(id(parameter))) is not None:
            entry[row] = True
        if parameter.ndim > 1 and _is_sparse(entry):
            mask[name] = entry
    return mask or None


def _values(weight: LayerWeight, parameters: dict[str, nn.Parameter]) -> Tensor:
    """A tensor whose zeros are those of the weight."""
    return weight.value() if weight.parameter is None else parameters[weight.parameter]


def _is_sparse(kept: Tensor) -> bool:
    pruned = kept.numel() - int(kept.count_nonzero())
    return SHARE * kept.numel() <= pruned < kept.numel()


def _opaque(weight: LayerWeight, kept: Tensor) -> str:
    share = 1 - int(kept.count_nonzero()) / kept.numel()
    return (
        f"layer {weight.layer or type(weight.module).__name__} has a weight that {weight.by} "
        f"computes, and {share:.1%} of it is zero: expected a plain parameter, whose zeros can be "
        f"kept; make it one with {weight.remedy}"
    )
