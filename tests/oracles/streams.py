"""NegGrad+, SCRUB and other labels as the equations have them, one parameter tensor at a time."""

import copy

import torch
from torch import nn
from torch.nn import functional as F


class Momentum:
    """v = μ v + ∇ + λ θ; θ = m ⊙ (θ − η v)."""

    def __init__(self, model, momentum, weight_decay, mask=None):
        self.model, self.momentum, self.weight_decay = model, momentum, weight_decay
        self.mask = mask or {}
        self.velocity = {name: torch.zeros_like(p) for name, p in model.named_parameters()}

    def step(self, loss, lr):
        self.model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                gradient = p.grad + self.weight_decay * p
                self.velocity[name] = self.momentum * self.velocity[name] + gradient
                p -= lr * self.velocity[name]
                if name in self.mask:
                    p *= self.mask[name]
                    self.velocity[name] *= self.mask[name]


def neggrad_plus(
    model: nn.Module, images, labels, steps, alpha, lr, momentum, weight_decay, mask=None
) -> None:
    """α mean ℓ(retain) − (1 − α) mean ℓ(forget); `steps` are pairs of batches."""
    model.train()
    optimizer = Momentum(model, momentum, weight_decay, mask)
    for retain, forget in steps:
        on_retain = F.cross_entropy(model(images[retain]), labels[retain])
        on_forget = F.cross_entropy(model(images[forget]), labels[forget])
        optimizer.step(alpha * on_retain - (1 - alpha) * on_forget, lr)


def other_labels(
    model: nn.Module, images, labels, others, steps, alpha, lr, momentum, weight_decay, mask, only
) -> None:
    """Mean ℓ(forget, others) + α mean ℓ(retain), on the weights in `only`; `steps` are pairs."""
    start = copy.deepcopy(model)
    model.train()
    optimizer = Momentum(model, momentum, weight_decay, mask)
    for retain, forget in steps:
        on_retain = F.cross_entropy(model(images[retain]), labels[retain])
        on_forget = F.cross_entropy(model(images[forget]), others[forget])
        optimizer.step(on_forget + alpha * on_retain, lr)
        with torch.no_grad():
            for name, free in only.items():
                now, before = model.get_parameter(name), start.get_parameter(name)
                now.copy_(torch.where(free, now, before))


def scrub(
    model: nn.Module, images, labels, passes, alpha, gamma, temperature, momentum, weight_decay
) -> None:
    """Kurmanji et al. 2023; `passes` are (climbs, learning rate, batches).

    d(x) = T² Σ_y q_y log(q_y / p_y), with p and q of the student and its frozen teacher, at T.
    """
    teacher = copy.deepcopy(model).eval()
    model.train()
    optimizer = Momentum(model, momentum, weight_decay)
    for climbs, lr, batches in passes:
        for batch in batches:
            outputs = model(images[batch])
            p = (outputs / temperature).softmax(1)
            q = (teacher(images[batch]).detach() / temperature).softmax(1)
            divergence = temperature**2 * (q * (q / p).log()).sum(1).mean()
            loss = alpha * divergence + gamma * F.cross_entropy(outputs, labels[batch])
            optimizer.step(-divergence if climbs else loss, lr)
