"""The weights used in a computation, as one flat vector."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from expunge.errors import ModelError
from expunge.types import Mask


class Coordinates:
    """The weights that are neither frozen nor pruned. Coordinates of pruned weights are zero.

    Vectors are flat, `(size,)`, in the order and dtype of the model's parameters.

    Raises:
        ModelError: every parameter is frozen or pruned.
    """

    def __init__(self, model: nn.Module, mask: Mask | None = None) -> None:
        self.parameters = {
            name: p
            for name, p in model.named_parameters()
            if p.requires_grad and p.is_floating_point()
        }
        self.kept = {
            name: kept.to(self.parameters[name].device)
            for name, kept in (mask or {}).items()
            if name in self.parameters
        }
        pruned = sum(int((~kept).sum()) for kept in self.kept.values())
        self.size = sum(p.numel() for p in self.parameters.values())
        if self.size == pruned:
            raise ModelError(
                f"{type(model).__name__} has no weight to change: expected at least one that is "
                "neither frozen (requires_grad=False) nor pruned"
            )

    def flatten(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Flatten tensors by parameter name into one vector; pruned coordinates become zero."""
        return torch.cat(
            [self.restrict(name, tensors[name].detach()).reshape(-1) for name in self.parameters]
        )

    def unflatten(self, vector: Tensor) -> dict[str, Tensor]:
        """Split a vector into tensors by parameter name, in the parameters' shapes."""
        sizes = [p.numel() for p in self.parameters.values()]
        parts = torch.split(vector, sizes)
        return {
            name: part.view(p.shape)
            for (name, p), part in zip(self.parameters.items(), parts, strict=True)
        }

    def restrict(self, name: str, tensor: Tensor) -> Tensor:
        """`tensor`, in the shape of parameter `name`, with zeros at pruned weights."""
        return tensor if name not in self.kept else tensor * self.kept[name]
