"""The ℓ1 penalty γ‖θ‖₁ over all parameters, for sparsity-aware unlearning.

Jia et al. 2023, "Model Sparsity Can Simplify Machine Unlearning". The functions take
lists of parameters that are made once, before the loop: `[p for p in model.parameters() if
p.requires_grad]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from expunge.types import check_choice, check_range

GammaSchedule = Literal["linear_decay", "constant", "linear_growth"]
"""How the strength of the penalty changes from epoch to epoch."""


def gamma_at(schedule: GammaSchedule, gamma: float, epoch: int, epochs: int) -> float:
    """The strength of the penalty in `epoch`, 0 to `epochs` - 1, of a peak `gamma`.

    With t the epoch and T the epochs: `linear_decay` is γ(1 − t/T), from γ to γ/T, the paper's
    choice; `constant` is γ; `linear_growth` is γ(t + 1)/T, the decay run backwards, from γ/T to γ.
    The paper names growth without a formula; so defined, both sum to the same penalty.

    >>> [gamma_at("linear_decay", 1.0, epoch, 4) for epoch in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    >>> [gamma_at("linear_growth", 1.0, epoch, 4) for epoch in range(4)]
    [0.25, 0.5, 0.75, 1.0]

    Raises:
        ConfigError: the schedule is unknown, gamma is negative, or the epoch is not of the run.
    """
    check_choice("schedule", schedule, get_args(GammaSchedule))
    check_range("gamma", gamma, 0, None)
    check_range("epochs", epochs, 1, None)
    check_range("epoch", epoch, 0, epochs - 1)
    if schedule == "linear_decay":
        return gamma * (1 - epoch / epochs)
    if schedule == "linear_growth":
        return gamma * ((epoch + 1) / epochs)
    return gamma


@torch.no_grad()
def add_l1_gradient(params: Sequence[Tensor], gamma: float) -> None:
    """Add γ·sign(θ), the gradient of γ‖θ‖₁, to every parameter's gradient, in place.

    Call it between the backward pass and the optimiser step, on gradients that are not scaled. It
    is the subgradient that is 0 at 0, so pruned weights stay. Weights that it brings near zero
    change sign about it and are seldom exactly zero: count them at a threshold, or use
    `proximal_step`.
    """
    grads = []
    for param in params:
        if param.grad is None:  # the loss does not depend on it, the penalty does
            param.grad = torch.zeros_like(param)
        grads.append(param.grad)
    torch._foreach_add_(grads, torch._foreach_sign(list(params)), alpha=gamma)


@torch.no_grad()
def proximal_step(params: Sequence[Tensor], amount: float) -> None:
    """Soft threshold: θ ← sign(θ) max(|θ| − amount, 0), in place, with exact zeros.

    It is the proximal operator of amount·‖θ‖₁ (Parikh & Boyd 2014, Proximal Algorithms).
    After a gradient step with learning rate η, `amount` is ηγ.
    """
    # θ − clamp(θ, −a, a): the same value, and zero without a sign where |θ| ≤ a.
    weights = list(params)
    clamped = torch._foreach_clamp_max(weights, amount)
    torch._foreach_clamp_min_(clamped, -amount)
    torch._foreach_sub_(weights, clamped)
