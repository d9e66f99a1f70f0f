"""SGD as the equations have it, one parameter tensor at a time."""

import torch
from torch import nn
from torch.nn import functional as F


def sgd(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    batches: list[torch.Tensor],
    lr: float,
    momentum: float,
    weight_decay: float,
    sign: float = 1.0,
    gammas: list[float] | None = None,
    proximal: bool = False,
    mask: dict[str, torch.Tensor] | None = None,
) -> None:
    """v = μ v + (± ∇ℓ + γ sign θ + λ θ); θ = m ⊙ (θ − η v), with the γ of each step."""
    model.train()
    velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for step, batch in enumerate(batches):
        model.zero_grad()
        F.cross_entropy(model(images[batch]), labels[batch]).backward()
        gamma = gammas[step] if gammas else 0.0
        with torch.no_grad():
            for name, p in model.named_parameters():
                gradient = sign * p.grad + weight_decay * p
                if not proximal:
                    gradient = gradient + gamma * torch.sign(p)
                velocity[name] = momentum * velocity[name] + gradient
                p -= lr * velocity[name]
                if proximal:
                    p.copy_(torch.sign(p) * torch.clamp(p.abs() - lr * gamma, min=0))
                if mask and name in mask:
                    p *= mask[name]
                    velocity[name] *= mask[name]
