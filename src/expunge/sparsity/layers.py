"""The weights of convolutions and linear layers, plain or computed from other parameters."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from expunge.sparsity.pruner import Layer

TYPES: dict[Layer, type[nn.Module]] = {"conv": nn.Conv2d, "linear": nn.Linear}

_HOLDERS: dict[type, str] = {
    WeightNorm: "weight_v",
    SpectralNorm: "weight_orig",
    parametrizations._WeightNorm: "parametrizations.weight.original1",
    parametrizations._SpectralNorm: "parametrizations.weight.original",
}
"""By what computes a weight as a scale times a parameter: that parameter."""

_REMEDIES: dict[type, str] = {
    WeightNorm: "torch.nn.utils.remove_weight_norm(layer)",
    SpectralNorm: "torch.nn.utils.remove_spectral_norm(layer)",
    BasePruningMethod: 'torch.nn.utils.prune.remove(layer, "weight")',
    nn.Module: 'torch.nn.utils.parametrize.remove_parametrizations(layer, "weight")',
}
"""By what computes a weight: the call that makes it a plain parameter."""


@dataclass(frozen=True, eq=False)
class LayerWeight:
    """The weight of one layer."""

    layer: str
    """The module's name; empty for the model itself."""
    module: nn.Module
    parameter: str | None
    """The parameter whose zeros are the zeros of the weight; None if no parameter is known to be
    one."""
    makers: tuple[object, ...]
    """What computes the weight: hooks or parametrisations; nothing for a plain parameter."""

    @property
    def name(self) -> str:
        """The name that the weight has as a plain parameter."""
        return f"{self.layer}.weight" if self.layer else "weight"

    @property
    def by(self) -> str:
        """The names of what computes the weight."""
        return ", ".join(type(each).__name__.lstrip("_") for each in self.makers)

    @property
    def remedy(self) -> str:
        """The call that makes the weight a plain parameter."""
        return next(call for kind, call in _REMEDIES.items() if isinstance(self.makers[0], kind))

    @torch.no_grad()
    def value(self) -> Tensor:
        """The weight as the layer uses it in evaluation mode; the model is not changed."""
        if not self.makers:
            return self.module.get_parameter("weight").detach()
        # Spectral norms update their estimate when the weight is read in training mode.
        module = copy_module(self.module).eval()
        (hook, *_) = self.makers
        if isinstance(hook, WeightNorm):
            computed: Tensor = hook.compute_weight(module)
            return computed
        if isinstance(hook, SpectralNorm):
            return hook.compute_weight(module, do_power_iteration=False)
        found: Any = module.weight
        weight: Tensor = found.detach()
        return weight


def layer_weights(model: nn.Module, layer: Layer) -> list[LayerWeight]:
    """The weights of all layers of one kind, in the model's order.

    A shared weight is listed once for each of its layers; the model lists only the first name.
    """
    if layer == "auto":
        linear = layer_weights(model, "linear")
        return layer_weights(model, "conv") or (linear[:-1] if len(linear) > 1 else linear)
    return [
        _weight(name, module)
        for name, module in model.named_modules()
        if isinstance(module, TYPES[layer])
    ]


def copy_module(module: nn.Module) -> nn.Module:
    """A deep copy of a module; weights that hooks have computed are copied without their graph."""
    computed = {
        id(value): value.detach().clone()
        for each in module.modules()
        for value in tensors_of(each)
        if not value.is_leaf
    }
    return copy.deepcopy(module, computed)


def tensors_of(module: nn.Module) -> list[Tensor]:
    """The plain attributes of a module that are tensors, such as weights that hooks have computed.

    Parameters and buffers are not among them.
    """
    return [value for value in vars(module).values() if isinstance(value, Tensor)]


def _weight(layer: str, module: nn.Module) -> LayerWeight:
    prefix = f"{layer}." if layer else ""
    if module._parameters.get("weight") is not None:
        return LayerWeight(layer, module, f"{prefix}weight", ())
    if parametrize.is_parametrized(module, "weight"):
        makers: tuple[object, ...] = tuple(module.parametrizations["weight"])  # type: ignore[index]
    else:
        hooks = module._forward_pre_hooks.values()
        makers = tuple(
            hook
            for hook in hooks
            if getattr(hook, "name", getattr(hook, "_tensor_name", None)) == "weight"
        ) or (module,)
    holder = _HOLDERS.get(type(makers[0])) if len(makers) == 1 else None
    return LayerWeight(layer, module, None if holder is None else prefix + holder, makers)
