"""The ℓ1 penalty γ‖θ‖₁ over all parameters, for sparsity-aware unlearning.

Jia et al. 2023, "Model Sparsity Can Simplify Machine Unlearning". Make the list of parameters
once, before the loop: `[p for p in model.parameters() if p.requires_grad]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


@torch.no_grad()
def add_l1_gradient(params: Sequence[Tensor], gamma: float) -> None:
    """Add γ·sign(θ), the gradient of γ‖θ‖₁, to every parameter's gradient, in place.

    Call it between the backward pass and the optimiser step, on unscaled gradients. The subgradient
    is 0 at 0, so pruned weights stay pruned. Weights near zero oscillate around it and are rarely
    exactly zero: count them with a threshold, or use `proximal_step`.
    """
    grads = []
    for param in params:
        if param.grad is None:  # the loss does not depend on it, but the penalty does
            param.grad = torch.zeros_like(param)
        grads.append(param.grad)
    torch._foreach_add_(grads, torch._foreach_sign(list(params)), alpha=gamma)


@torch.no_grad()
def proximal_step(params: Sequence[Tensor], amount: float) -> None:
    """Soft-threshold: θ ← sign(θ) max(|θ| − amount, 0), in place, with exact zeros.

    It is the proximal operator of amount·‖θ‖₁ (Parikh & Boyd 2014, Proximal Algorithms).
    After a gradient step with learning rate η, `amount` is ηγ.
    """
    # θ − clamp(θ, −a, a): the same value, and +0 where |θ| ≤ a.
    weights = list(params)
    clamped = torch._foreach_clamp_max(weights, amount)
    torch._foreach_clamp_min_(clamped, -amount)
    torch._foreach_sub_(weights, clamped)
