"""Keeping pruned weights at zero while an optimiser moves the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from expunge.sparsity.mask import check_mask
from expunge.types import Mask


class Masker:
    """Call it after every optimiser step: what the mask prunes is zero again.

    Weights are multiplied by the mask, and so is every tensor of a weight's shape in the state of
    `optimizer`, such as momentum: otherwise a pruned weight's momentum would grow unseen. One call
    is one fused multiplication. Make it when the model is on its device; it keeps a copy of the
    mask in the weights' dtype.

    Raises:
        MaskError: the mask is not of this model.
    """

    def __init__(self, model: nn.Module, mask: Mask, optimizer: Optimizer | None = None) -> None:
        check_mask(model, mask)
        parameters = dict(model.named_parameters())
        self._weights = [parameters[name] for name in mask]
        # Like the weight in dtype and in memory order, so that the fused kernel takes both.
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
            # State appears with the first steps, and is another dict after load_state_dict.
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
