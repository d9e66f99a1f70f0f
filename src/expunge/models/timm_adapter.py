"""Adapter for networks of the library timm (PyTorch Image Models)."""

from __future__ import annotations

from types import ModuleType

from torch import nn

from expunge.errors import ModelError, line_of
from expunge.models.spec import ModelSpec


def layers(source: str, spec: ModelSpec) -> dict[str, nn.Module]:
    """The network that timm calls `source`, freshly initialised: its weights are never loaded.

    Raises:
        ModelError: the library is not installed, or does not have this network.
    """
    library = _library(f"timm:{source}")
    try:
        network = library.create_model(
            source, pretrained=False, num_classes=spec.num_classes, in_chans=spec.in_channels
        )
    except Exception as error:
        raise ModelError(f"timm cannot build {source!r}: {line_of(error)}") from error
    if not isinstance(network, nn.Module):
        raise ModelError(f"timm built no torch.nn.Module for {source!r}, but {type(network)}")
    return {"network": network}


def _library(name: str) -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise ModelError(
            f"{name} needs the library `timm`: pip install 'expunge[timm]' ({line_of(error)})"
        ) from error
    return timm  # type: ignore[no-any-return]
