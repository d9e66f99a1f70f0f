"""The mask of a model that was pruned elsewhere: its weights hold many exact zeros."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import prune
from torch.nn.utils.prune import BasePruningMethod

from expunge.errors import MaskError
from expunge.sparsity.layers import TYPES, LayerWeight, copy_module, layer_weights, tensors_of
from expunge.types import Mask

SHARE = 0.01
"""Training leaves no float at exactly zero: a weight with this share of zeros has been pruned."""


def from_elsewhere(model: nn.Module) -> tuple[nn.Module, Mask | None]:
    """A model to work on, and the mask of its zeros; None if it is dense.

    These are the zeros of `torch.nn.utils.prune`, in biases too, and those of `mask_of_zeros`. A
    lazy layer has no zeros yet. The model is not changed.

    Raises:
        MaskError: a sparse weight is computed in a way that need not keep its zeros; names the
            layer.
    """
    if any(isinstance(each, UninitializedParameter) for each in model.parameters()):
        return model, None
    model, hooked = without_hooks(model)
    hooked = {name: kept for name, kept in hooked.items() if not bool(kept.all())}
    found = mask_of_zeros(model, share=0 if hooked else SHARE) or {}
    return model, {**hooked, **found} or None


def without_hooks(model: nn.Module) -> tuple[nn.Module, Mask]:
    """A model that methods can copy, and the masks of `torch.nn.utils.prune` by parameter.

    The masks are made permanent in a copy, which then has the plain parameters `weight` instead of
    `weight_orig`. A model without weights that hooks compute is returned as it is.
    """
    masks: dict[str, Tensor] = {}
    if not any(map(_has_computed_tensors, model.modules())):
        return model, masks
    model = copy_module(model)
    for layer, module in model.named_modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, BasePruningMethod):
                local = hook._tensor_name
                masks[f"{layer}.{local}" if layer else local] = (
                    module.get_buffer(f"{local}_mask") != 0
                )
                prune.remove(module, local)  # type: ignore[no-untyped-call]
    return model, masks


def _has_computed_tensors(module: nn.Module) -> bool:
    """Whether hooks compute weights of the module, which a plain deep copy refuses."""
    hooks = module._forward_pre_hooks.values()
    pruned = any(isinstance(hook, BasePruningMethod) for hook in hooks)
    return pruned or not all(value.is_leaf for value in tensors_of(module))


@torch.no_grad()
def mask_of_zeros(model: nn.Module, share: float = SHARE) -> Mask | None:
    """The mask that prunes the exact zeros of a sparse model; None for a dense one.

    A model is sparse if a trainable weight of a convolution or linear layer, or another trainable
    parameter of two or more dimensions, has zeros, in at least the `share` of its entries. A weight
    that is zero throughout may just be untrained, and counts only beside others. The mask covers
    all layers of the kinds in which it finds zeros. Biases, norms and padding rows of embeddings
    are ignored. The model is not changed.

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
            _is_sparse(entry, share)
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
        if parameter.ndim > 1 and _is_sparse(entry, share):
            mask[name] = entry
    return mask or None


def _values(weight: LayerWeight, parameters: dict[str, nn.Parameter]) -> Tensor:
    """A tensor whose zeros are those of the weight."""
    return weight.value() if weight.parameter is None else parameters[weight.parameter]


def _is_sparse(kept: Tensor, share: float) -> bool:
    pruned = kept.numel() - int(kept.count_nonzero())
    return max(1, share * kept.numel()) <= pruned < kept.numel()


def _opaque(weight: LayerWeight, kept: Tensor) -> str:
    zeros = 1 - int(kept.count_nonzero()) / kept.numel()
    return (
        f"layer {weight.layer or type(weight.module).__name__} has a weight that {weight.by} "
        f"computes, and {zeros:.1%} of it is zero: expected a plain parameter, whose zeros can be "
        f"kept; make it one with {weight.remedy}"
    )
