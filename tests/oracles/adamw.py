"""AdamW as the equations have it, one parameter tensor at a time."""

import torch
from torch import nn
from torch.nn import functional as F


def adamw(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    batches: list[torch.Tensor],
    lrs: list[float],
    beta1: float,
    weight_decay: float,
    sign: float = 1.0,
    gammas: list[float] | None = None,
    mask: dict[str, torch.Tensor] | None = None,
) -> None:
    """Loshchilov and Hutter 2019, algorithm 2, with g = ±∇ℓ + γ sign θ and the η, γ of each step.

    θ ← (1 − ηλ) θ; m = β₁m + (1 − β₁)g; v = β₂v + (1 − β₂)g²;
    θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε); what the mask prunes is zero again, m and v
    included.
    """
    beta2, epsilon = 0.999, 1e-8
    model.train()
    first = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    second = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for step, batch in enumerate(batches):
        t, lr = step + 1, lrs[step]
        model.zero_grad()
        F.cross_entropy(model(images[batch]), labels[batch]).backward()
        gamma = gammas[step] if gammas else 0.0
        with torch.no_grad():
            for name, p in model.named_parameters():
                gradient = sign * p.grad + gamma * torch.sign(p)
                p *= 1 - lr * weight_decay
                first[name] = beta1 * first[name] + (1 - beta1) * gradient
                second[name] = beta2 * second[name] + (1 - beta2) * gradient**2
                unbiased = first[name] / (1 - beta1**t)
                spread = (second[name] / (1 - beta2**t)).sqrt()
                p -= lr * unbiased / (spread + epsilon)
                if mask and name in mask:
                    for tensor in (p, first[name], second[name]):
                        tensor *= mask[name]
