"""A model as an artefact's files: its weights, its specification, and its mask if sparse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from expunge.config import from_mapping, to_mapping
from expunge.graph.outcome import check_diverged
from expunge.runs import checked, checked_if_any, read_object, write_json

if TYPE_CHECKING:
    from torch import nn

    from expunge.models.spec import ModelSpec
    from expunge.types import Mask

WEIGHTS = "model.safetensors"
MASK = "mask.safetensors"
MODEL = "model.json"


def save_model(folder: Path, model: nn.Module, spec: ModelSpec, mask: Mask | None) -> None:
    """Write a model, and what is needed to rebuild it, into `folder`."""
    from expunge.models.weights import save_weights
    from expunge.sparsity.files import save_mask

    save_weights(model, folder / WEIGHTS)
    write_json(folder / MODEL, to_mapping(spec))
    if mask is not None:
        save_mask(mask, folder / MASK)


def load_model(folder: Path) -> tuple[nn.Module, ModelSpec, Mask | None]:
    """The model that `save_model` wrote into an artefact's folder, its spec, and its mask.

    Raises:
        DivergedError: the artefact holds the reason why there is no model.
        StoreError: a file is damaged.
        CheckpointError: the weights do not fit the network.
    """
    check_diverged(folder)
    return _load(checked(folder, MODEL), checked(folder, WEIGHTS), checked_if_any(folder, MASK))


def load_plain_model(folder: Path) -> tuple[nn.Module, ModelSpec, Mask | None]:
    """Like `load_model`, from any folder with these files.

    Raises:
        CheckpointError: the weights do not fit the network.
    """
    mask = folder / MASK
    return _load(folder / MODEL, folder / WEIGHTS, mask if mask.exists() else None)


def _load(
    described: Path, weights: Path, mask: Path | None
) -> tuple[nn.Module, ModelSpec, Mask | None]:
    from expunge.models.build import build
    from expunge.models.spec import ModelSpec
    from expunge.models.weights import load_weights
    from expunge.sparsity.files import load_mask

    spec = from_mapping(ModelSpec, read_object(described), str(described))
    model = build(spec, seed=0)
    load_weights(model, weights)
    return model, spec, None if mask is None else load_mask(mask)
