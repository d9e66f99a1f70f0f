"""A model as an artefact's files: weights, how to build it, and its mask if it is sparse."""

from pathlib import Path

from torch import nn

from expunge.config import from_mapping, to_mapping
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.models.weights import load_weights, save_weights
from expunge.runs import read_object, write_json
from expunge.sparsity.files import load_mask, save_mask
from expunge.types import Mask

WEIGHTS = "model.safetensors"
MASK = "mask.safetensors"
MODEL = "model.json"


def save_model(folder: Path, model: nn.Module, spec: ModelSpec, mask: Mask | None) -> None:
    """Write a model and what is needed to build it again into `folder`."""
    save_weights(model, folder / WEIGHTS)
    write_json(folder / MODEL, to_mapping(spec))
    if mask is not None:
        save_mask(mask, folder / MASK)


def load_model(folder: Path) -> tuple[nn.Module, ModelSpec, Mask | None]:
    """The model that `save_model` wrote, its spec, and its mask if it is sparse.

    Raises:
        CheckpointError: the weights are not those of the network.
    """
    described = read_object(folder / MODEL)
    spec = from_mapping(ModelSpec, described, str(folder / MODEL))
    model = build(spec, seed=0)
    load_weights(model, folder / WEIGHTS)
    mask = load_mask(folder / MASK) if (folder / MASK).exists() else None
    return model, spec, mask
