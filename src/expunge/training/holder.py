"""Keep some weights where they are while an optimiser updates the others."""

from __future__ import annotations

import torch
from torch import nn

from expunge.errors import MaskError, some
from expunge.types import Mask


class Holder:
    """Puts weights that may not change back to their values; call it after every optimiser step.

    Create it when the model is on its device. Neither weight decay nor momentum moves these
    weights, because the values themselves are restored.

    Raises:
        MaskError: an entry of `only` is no parameter, not bool, or of another shape.
    """

    def __init__(self, model: nn.Module, only: Mask) -> None:
        parameters = dict(model.named_parameters())
        if misfits := [
            name
            for name, free in only.items()
            if name not in parameters
            or free.dtype != torch.bool
            or free.shape != parameters[name].shape
        ]:
            raise MaskError(
                f"expected a bool entry of a parameter's shape, got others in {some(misfits)}"
            )
        self._weights = [parameters[name] for name in only]
        self._free = [
            free.to(weight.device)
            for free, weight in zip(only.values(), self._weights, strict=True)
        ]
        self._values = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def __call__(self) -> None:
        """Restore the values, in place."""
        for weight, free, value in zip(self._weights, self._free, self._values, strict=True):
            weight.copy_(torch.where(free, weight, value))
