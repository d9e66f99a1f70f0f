"""Check that a network matches a dataset, before any long work starts."""

from __future__ import annotations

from torch import Tensor, nn

from expunge.errors import ModelError
from expunge.models.probe import probe
from expunge.settings import InputKind


def check_outputs(
    model: nn.Module, shape: tuple[int, ...], num_classes: int, kind: InputKind = "images"
) -> None:
    """Refuse a network that does not map two inputs of `shape` to logits `(2, num_classes)`.

    `kind` and `shape` come from the data's `Inputs`.

    Raises:
        ModelError: the forward pass fails, or returns something else.
    """
    logits = probe(model, shape, kind)
    expected = (2, num_classes)
    if not isinstance(logits, Tensor):
        raise ModelError(
            f"the network must return logits, a tensor {expected} for 2 {kind}, "
            f"got {type(logits).__name__}: wrap it so that it returns only the logits"
        )
    if tuple(logits.shape) != expected:
        raise ModelError(
            f"the network must return logits of shape {expected} for 2 {kind}, "
            f"got {tuple(logits.shape)}: set its number of classes to {num_classes}"
        )
