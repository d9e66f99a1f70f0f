"""Keep pruned weights at zero while an optimiser updates the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from expunge.sparsity.mask import check_mask
from expunge.types import Mask


class Masker:
    """Sets pruned weights back to zero; call it after every optimiser step.

    It multiplies the weights by the mask, and also every tensor of a weight's shape in the state of
    `optimizer`, such as momentum: otherwise a pruned weight's momentum would grow unnoticed. Each
    call is one fused multiplication. Create it when the model is on its device; it keeps a copy of
    the mask in the weights' dtype.

    Raises:
        MaskError: the mask does not belong to this model.
    """

    def __init__(self, model: nn.Module, mask: Mask, optimizer: Optimizer | None = None) -> None:
        check_mask(model, mask)
        parameters = dict(model.named_parameters())
        self._weights = [parameters[name] for name in mask]
        # Same dtype and memory format as the weight, as the fused kernel requires.
        self._factors = [
            torch.empty_like(weight).copy_(kept)
            for weight, kept in zip(self._weights, mask.values(), strict=True)
        ]
        self._optimizer = optimizer
        self._state: object = None
        self._states = 0
        self._targets: list[Tensor] = [*self._weights]
        self._target_factors = self._factors

    @torch.no_grad()
    def __call__(self) -> None:
        """Multiply weights and optimiser state by the mask, in place."""
        if self._optimizer is not None:
            # State appears in the first steps, and load_state_dict replaces the dict.
            state = self._optimizer.state
            if state is not self._state or len(state) != self._states:
                self._collect(state)
        torch._foreach_mul_(self._targets, self._target_factors)

    def _collect(self, state: Mapping[Tensor, Mapping[str, object]]) -> None:
        self._state, self._states = state, len(state)
        self._targets, self._target_factors = [*self._weights], [*self._factors]
        for weight, factor in zip(self._weights, self._factors, strict=True):
            for value in state.get(weight, {}).values():
                if isinstance(value, Tensor) and value.shape == factor.shape:
                    self._targets.append(value)
                    self._target_factors.append(factor.to(value.dtype))
