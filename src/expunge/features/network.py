"""A network that gives the inputs of its last layer beside its outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from expunge.batch import Batch
from expunge.curvature.head import head_parameters
from expunge.errors import ModelError


class WithFeatures(nn.Module):
    """`model` with outputs `(B, F + classes)`: its features, then its logits.

    The features are the inputs of the last layer; of a layer that is applied at many places, such
    as a convolution, their mean over the places. The model is left as it is.

    Raises:
        ModelError: the last layer is not found.
    """

    def __init__(self, model: nn.Module, batch: Batch) -> None:
        super().__init__()
        self.model = model
        weight = next(
            name for name in head_parameters(model, batch) if model.get_parameter(name).ndim > 1
        )
        # A weight that is computed belongs to a module in the layer's own.
        self.layer = weight.rpartition(".")[0].partition(".parametrizations")[0]
        self.convolves = model.get_parameter(weight).ndim > 2
        self.classes = len(model.get_parameter(weight))

    def forward(self, batch: Batch) -> Tensor:
        """Features and logits, `(B, F + classes)`.

        Raises:
            ModelError: the last layer is not called with one tensor.
        """
        seen: list[object] = []
        layer = self.model.get_submodule(self.layer)
        handle = layer.register_forward_pre_hook(lambda _, given: seen.extend(given[:1]))
        try:
            logits: Tensor = self.model(batch)
        finally:
            handle.remove()
        given = seen[-1] if seen else None
        if not isinstance(given, Tensor) or given.ndim < 2 or len(given) != len(logits):
            raise ModelError(
                f"the features are what the last layer, {self.layer!r}, is given, and it is not "
                f"called with one tensor of a row for each of {len(logits)} samples"
            )
        places = given.flatten(2).mean(2) if self.convolves else _mean_but_last(given)
        return torch.cat([places, logits], 1)


def _mean_but_last(given: Tensor) -> Tensor:
    """`(B, ..., F)` as `(B, F)`."""
    return given.flatten(1, -2).mean(1) if given.ndim > 2 else given
