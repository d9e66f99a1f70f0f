"""Build a network from its spec."""

from __future__ import annotations

import importlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from expunge.callables import find_callable, user_code
from expunge.errors import ModelError
from expunge.models.declared_size import check_network
from expunge.models.networks import ADAPTERS, MODELS, check_pairing, is_own
from expunge.models.normalise import Normalise
from expunge.models.spec import ModelSpec
from expunge.settings import InputKind

_WIDE = 4
"""Up to this width, every named network fits in the memory of any machine."""


def build(spec: ModelSpec, seed: int = 0) -> nn.Module:
    """A freshly initialised network on the CPU: the same spec and seed give the same weights.

    It takes a `Batch` of the spec's kind of inputs: float images `(B, C, H, W)` in [0, 1], float
    vectors `(B, D)`, or a dict of token tensors `(B, L)`; one of the task `generate` takes that
    task's inputs. For images and vectors its first layer,
    `normalise`, is followed by the layers of the named network under their own names. The layers of
    a network from an adapter (`hf:` with a folder or hub id, `timm:` with a name) are under
    `network`, and its weights are fresh too. A custom network (`package.module:callable`) is called
    with `num_classes`, and with `in_channels`, `features` and `vocabulary` if its signature has
    them, and returned unchanged. Only if the spec has a mean does `normalise` precede it, and its
    layers are then under `network`.

    Raises:
        ModelError: the name is unknown, the network takes other inputs, its library is not
            installed, or the callable cannot be imported, fails or does not return an `nn.Module`.
    """
    check_pairing(spec.name, spec.input_kind)
    # Seed only the default generator: torch.manual_seed would reseed the accelerators too.
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        if is_own(spec.name):
            return _build_own(spec)
        if ":" in spec.name:
            return _build_by_adapter(spec)
        if spec.width > _WIDE:
            check_network(f"{spec.name} of width {spec.width:g}", lambda: _named(spec))
            torch.default_generator.manual_seed(seed)
        network = _named(spec)
        if MODELS[spec.name].whole:
            return network
        return _normalised(spec, dict(network.named_children()))


def _named(spec: ModelSpec) -> nn.Module:
    make: Callable[..., nn.Module] = _maker(MODELS[spec.name].maker)
    if MODELS[spec.name].whole:
        return make(spec)
    if spec.input_kind == "vectors":
        if spec.stem != "cifar":
            raise ModelError(f"{spec.name!r} has no stem: leave stem out, got {spec.stem!r}")
        return make(spec.num_classes, features=spec.features, width=spec.width)
    return make(spec.num_classes, in_channels=spec.in_channels, stem=spec.stem, width=spec.width)


def _maker(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"expunge.models.{module}"), function
    )
    return found


def _build_by_adapter(spec: ModelSpec) -> nn.Module:
    _check_sizes(spec)
    adapter, _, source = spec.name.partition(":")
    if not source:
        raise ModelError(f"{spec.name!r} names no network: expected {adapter}:NAME")
    if spec.input_kind == "tokens":
        from expunge.models.huggingface import token_classifier

        return token_classifier(source, spec)
    return _normalised(spec, _maker(ADAPTERS[adapter].maker)(source, spec))


def _normalised(spec: ModelSpec, layers: Mapping[str, nn.Module]) -> nn.Sequential:
    # Keep the layer even without a mean: keys must not depend on the normalisation.
    mean = spec.mean or (0.0,) * spec.channels
    std = spec.std or (1.0,) * spec.channels
    return nn.Sequential(OrderedDict({"normalise": Normalise(mean, std), **layers}))


def _check_sizes(spec: ModelSpec) -> None:
    if spec.width != 1.0 or spec.stem != "cifar":
        raise ModelError(
            f"{spec.name!r} sets its own sizes: leave stem and width at their defaults, "
            f"got stem {spec.stem!r} and width {spec.width}"
        )


def _build_own(spec: ModelSpec) -> nn.Module:
    _check_sizes(spec)
    factory = find_callable(spec.name, ModelError)
    with user_code(f"{spec.name!r} raised", ModelError):
        network = factory(**_arguments(factory, spec))
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"{spec.name!r} must return a torch.nn.Module, got {type(network).__name__}"
        )
    return network if spec.mean is None else _normalised(spec, {"network": network})


def _arguments(factory: Callable[..., Any], spec: ModelSpec) -> dict[str, int]:
    parameters = inspect.signature(factory).parameters
    # Many libraries pass num_classes on through **kwargs.
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    arguments = {}
    if "num_classes" in parameters or open_ended:
        arguments["num_classes"] = spec.num_classes
    sizes: dict[InputKind, dict[str, int | None]] = {
        "images": {"in_channels": spec.in_channels},
        "vectors": {"features": spec.features},
        "tokens": {"vocabulary": spec.vocabulary},
    }
    for name, size in sizes[spec.input_kind].items():
        if name in parameters and size is not None:
            arguments[name] = size
    return arguments
