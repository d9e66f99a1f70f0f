"""Masks: which weights a network keeps.

A mask maps the name of each prunable parameter to a bool tensor; False is pruned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor, nn

from expunge.errors import CollapseError, MaskError, some
from expunge.settings import check_choice
from expunge.sparsity.layers import TYPES, layer_weights
from expunge.sparsity.pruner import Layer
from expunge.types import Mask


@dataclass(frozen=True, kw_only=True)
class LayerSparsity:
    """What a mask keeps of one layer."""

    name: str
    """The parameter name."""
    shape: tuple[int, ...]
    """The parameter shape."""
    kept: int
    """Number of kept weights."""
    total: int
    """Total number of weights."""

    @property
    def sparsity(self) -> float:
        """Fraction of pruned weights."""
        return 1 - self.kept / self.total


def prunable(model: nn.Module, layers: Sequence[Layer] = ("auto",)) -> dict[str, nn.Parameter]:
    """The prunable weights by name, in the model's order.

    `conv` is the weight of every `Conv2d`, including the first and 1x1 shortcuts; `linear` is that
    of every `Linear`, including the classification head; `auto` is `conv`, or, in a network without
    convolutions, `linear` without the last of several, which is the head. Biases and batch norms
    are never pruned. A shared weight is listed once.

    Raises:
        ConfigError: `layers` names something else.
        MaskError: the model has no such weights, or one is computed from other parameters; names
            the layers.
    """
    for layer in layers:
        check_choice("layers", layer, get_args(Layer))
    weights = {each.name: each for layer in layers for each in layer_weights(model, layer)}
    if computed := [each for each in weights.values() if each.makers]:
        named = some(f"{each.layer or type(model).__name__} ({each.by})" for each in computed)
        raise MaskError(
            "expected weights that are plain parameters, got layers whose weights are computed: "
            f"{named}; make them plain with {computed[0].remedy}"
        )
    found = {name: weight for name, weight in model.named_parameters() if name in weights}
    if not found:
        raise MaskError(
            f"{type(model).__name__} has no weights in layers of kind "
            f"{_listed(layers)}: choose layers from {', '.join(get_args(Layer))}"
        )
    return found


def _listed(layers: Sequence[Layer]) -> str:
    kinds = [kind for layer in layers for kind in (TYPES if layer == "auto" else (layer,))]
    return " or ".join(kinds) or "(none)"


def check_mask(model: nn.Module, mask: Mask) -> None:
    """Refuse a mask that does not belong to `model`.

    A mask for one convolution must cover all of them; the same holds for linear layers. In a
    network without convolutions it may leave out the head. It may cover other parameters.
    Where a weight norm or spectral norm computes a weight, the mask is of the parameter that has
    its zeros.

    Raises:
        MaskError: entries are missing, unexpected, not bool, or have another shape.
    """
    expected = usual = _maskable(model, "auto")
    if usual.keys() != mask.keys():
        by_kind = [_maskable(model, layer) for layer in TYPES]
        listed = {name for weights in by_kind for name in weights}
        covered = {
            name: weight
            for weights in by_kind
            if weights.keys() & mask.keys()
            for name, weight in weights.items()
        }
        others = {
            name: parameter
            for name, parameter in model.named_parameters()
            if name in mask and name not in listed
        }
        expected = covered | others or usual
    faults = []
    if missing := [name for name in expected if name not in mask]:
        faults.append(f"missing {some(missing)}")
    if unexpected := [name for name in mask if name not in expected]:
        faults.append(f"unexpected {some(unexpected)}")
    if misfits := [
        f"{name} (expected bool {tuple(weight.shape)}, got {_form(mask[name])})"
        for name, weight in expected.items()
        if name in mask and (mask[name].dtype != torch.bool or mask[name].shape != weight.shape)
    ]:
        faults.append(f"not fitting {some(misfits)}")
    if faults or not mask:
        raise MaskError(
            f"the mask is not of this {type(model).__name__} (expected {len(expected)} entries, "
            f"got {len(mask)}): {'; '.join(faults) or 'nothing to prune'}"
        )


def check_not_collapsed(mask: Mask) -> None:
    """Refuse a mask that prunes every weight of a layer.

    Raises:
        CollapseError: names the layers.
    """
    empty = [layer.name for layer in layer_report(mask) if layer.kept == 0]
    if empty:
        raise CollapseError(
            f"layer collapse at sparsity {mask_sparsity(mask):.4f}: expected at least one weight "
            f"in every layer, got none in {some(empty)}; ask for less sparsity"
        )


@torch.no_grad()
def apply_mask(model: nn.Module, mask: Mask) -> None:
    """Set the pruned weights of `model` to zero, in place.

    Raises:
        MaskError: the mask does not belong to this model.
    """
    check_mask(model, mask)
    weights = dict(model.named_parameters())
    torch._foreach_mul_(
        [weights[name] for name in mask],
        [kept.to(weights[name].device) for name, kept in mask.items()],
    )


def mask_sparsity(mask: Mask) -> float:
    """The fraction of pruned entries, 0 to 1."""
    report = layer_report(mask)
    return 1 - sum(layer.kept for layer in report) / sum(layer.total for layer in report)


def layer_report(mask: Mask) -> list[LayerSparsity]:
    """What the mask keeps of each layer, in the mask's order."""
    kept = torch.stack([entry.sum().cpu() for entry in mask.values()]).tolist()
    return [
        LayerSparsity(name=name, shape=tuple(entry.shape), kept=count, total=entry.numel())
        for (name, entry), count in zip(mask.items(), kept, strict=True)
    ]


def sparsity_of(
    model: nn.Module, names: Sequence[str] | None = None, threshold: float = 0.0
) -> float:
    """The fraction of weights with |w| <= `threshold`, 0 to 1.

    Counted over the parameters in `names`; by default, over the prunable weights.

    Raises:
        MaskError: a name is not a parameter of the model, or nothing is left to count.
    """
    if names is None:
        return zero_share([*prunable(model).values()], threshold)
    return zero_share(chosen_weights(dict(model.named_parameters()), names), threshold)


def chosen_weights(weights: Mapping[str, Tensor], names: Sequence[str]) -> list[Tensor]:
    """The weights called `names`.

    Raises:
        MaskError: a name is unknown.
    """
    if absent := [name for name in names if name not in weights]:
        raise MaskError(f"expected names of parameters, got {some(absent)}")
    return [weights[name] for name in names]


@torch.no_grad()
def zero_share(weights: Sequence[Tensor], threshold: float = 0.0) -> float:
    """The fraction of entries of all `weights` with |w| <= `threshold`, 0 to 1.

    Raises:
        MaskError: there is nothing to count.
    """
    total = sum(weight.numel() for weight in weights)
    if total == 0:
        raise MaskError("expected parameters to count zeros in, got none")
    zeros = torch.stack([(weight.abs() <= threshold).sum() for weight in weights])
    return int(zeros.sum()) / total


def _maskable(model: nn.Module, layer: Layer) -> dict[str, nn.Parameter]:
    """The parameters that hold the zeros of the weights of one kind of layers."""
    names = {each.parameter for each in layer_weights(model, layer)}
    return {name: weight for name, weight in model.named_parameters() if name in names}


def _form(entry: Tensor) -> str:
    return f"{str(entry.dtype).removeprefix('torch.')} {tuple(entry.shape)}"
