"""Whether a network fits a dataset, asked before anything long begins."""

from __future__ import annotations

from torch import Tensor, nn

from expunge.errors import ModelError
from expunge.models.probe import probe


def check_outputs(model: nn.Module, image_shape: tuple[int, int, int], num_classes: int) -> None:
    """Refuse a network that does not turn two images `(C, H, W)` into logits `(2, num_classes)`.

    Raises:
        ModelError: the forward pass fails, or returns something else.
    """
    logits = probe(model, image_shape)
    expected = (2, num_classes)
    if not isinstance(logits, Tensor):
        raise ModelError(
            f"the network must return logits, a tensor {expected} for 2 images, "
            f"got {type(logits).__name__}: wrap it so that it returns the logits alone"
        )
    if tuple(logits.shape) != expected:
        raise ModelError(
            f"the network must return logits of shape {expected} for 2 images, "
            f"got {tuple(logits.shape)}: set its number of classes to {num_classes}"
        )
