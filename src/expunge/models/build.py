"""From the description of a network to the network."""

from __future__ import annotations

import importlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import nn

from expunge.errors import ModelError, unknown
from expunge.models import huggingface, timm_adapter
from expunge.models.networks import is_own
from expunge.models.normalise import Normalise
from expunge.models.resnet import resnet8, resnet18, resnet20s, resnet50
from expunge.models.spec import ModelSpec, Stem
from expunge.models.swin import swin_t
from expunge.models.vgg import vgg16_bn


class Builder(Protocol):
    """Makes a network from normalised images to logits, as a sequence of named layers."""

    def __call__(
        self, num_classes: int, *, in_channels: int = 3, stem: Stem = "cifar", width: float = 1.0
    ) -> nn.Sequential:
        """A freshly initialised network."""
        ...


MODELS: Mapping[str, Builder] = {
    "resnet8": resnet8,
    "resnet18": resnet18,
    "resnet20s": resnet20s,
    "resnet50": resnet50,
    "swin_t": swin_t,
    "vgg16_bn": vgg16_bn,
}
"""Every network that has a name."""

ADAPTERS: Mapping[str, Callable[[str, ModelSpec], Mapping[str, nn.Module]]] = {
    "hf": huggingface.layers,
    "timm": timm_adapter.layers,
}
"""From what follows the colon of a name to named layers, by what precedes it."""


def build(spec: ModelSpec, seed: int = 0) -> nn.Module:
    """A freshly initialised network on the CPU: the same spec and seed give the same weights.

    It takes float images `(B, C, H, W)` in [0, 1]; its first layer, `normalise`, is followed by the
    layers of the named network under their own names. Those of a network by adapter (`hf:` a folder
    or hub id, `timm:` a name) are under `network`, and its weights are fresh too. A network of
    one's own (`package.module:callable`) is called with `num_classes`, and with `in_channels` where
    its signature has that, and returned as it is; only where the spec has a mean does `normalise`
    precede it, and its own layers are under `network`.

    Raises:
        ModelError: the name is unknown, its library is not installed, or the callable cannot be
            imported, fails or does not return an `nn.Module`.
    """
    # The default generator alone is seeded: torch.manual_seed would reseed the accelerators too.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        if is_own(spec.name):
            return _build_own(spec)
        if ":" in spec.name:
            return _build_by_adapter(spec)
        if spec.name not in MODELS:
            raise ModelError(
                unknown("model", spec.name, MODELS)
                + "; or give package.module:callable, hf:FOLDER or timm:NAME"
            )
        network = MODELS[spec.name](
            spec.num_classes, in_channels=spec.in_channels, stem=spec.stem, width=spec.width
        )
        return _normalised(spec, dict(network.named_children()))


def _build_by_adapter(spec: ModelSpec) -> nn.Module:
    _check_sizes(spec)
    adapter, _, source = spec.name.partition(":")
    if not source:
        raise ModelError(f"{spec.name!r} names no network: expected {adapter}:NAME")
    return _normalised(spec, ADAPTERS[adapter](source, spec))


def _normalised(spec: ModelSpec, layers: Mapping[str, nn.Module]) -> nn.Sequential:
    # Without a mean the layer is there all the same: keys do not depend on the normalisation.
    mean = spec.mean or (0.0,) * spec.in_channels
    std = spec.std or (1.0,) * spec.in_channels
    return nn.Sequential(OrderedDict({"normalise": Normalise(mean, std), **layers}))


def _check_sizes(spec: ModelSpec) -> None:
    if spec.width != 1.0 or spec.stem != "cifar":
        raise ModelError(
            f"{spec.name!r} sets its own sizes: leave stem and width at their defaults, "
            f"got stem {spec.stem!r} and width {spec.width}"
        )


def _build_own(spec: ModelSpec) -> nn.Module:
    _check_sizes(spec)
    factory = _load(spec.name)
    try:
        network = factory(**_arguments(factory, spec))
    except Exception as error:
        raise ModelError(f"{spec.name!r} failed to build: {_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"{spec.name!r} must return a torch.nn.Module, got {type(network).__name__}"
        )
    return network if spec.mean is None else _normalised(spec, {"network": network})


def _load(name: str) -> Callable[..., Any]:
    module_name, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        raise ModelError(
            f"expected package.module:callable, but {name!r} cannot be imported: {_line(error)}"
        ) from error
    if not callable(found):
        raise ModelError(f"{name!r} must be callable, got {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def _arguments(factory: Callable[..., Any], spec: ModelSpec) -> dict[str, int]:
    parameters = inspect.signature(factory).parameters
    # Many libraries hand num_classes on through **kwargs.
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    arguments = {}
    if "num_classes" in parameters or open_ended:
        arguments["num_classes"] = spec.num_classes
    if "in_channels" in parameters:
        arguments["in_channels"] = spec.in_channels
    return arguments


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
