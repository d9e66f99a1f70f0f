"""Curvature as the equations have it: one sample, one class, one backward pass at a time; dense."""

import torch
from torch import nn
from torch.nn import functional as F


def gradients(model: nn.Module, images, labels, names=None) -> torch.Tensor:
    """Rows g_i `(M, P)` over the parameters called `names`, in the model's order."""
    parameters = [p for n, p in model.named_parameters() if names is None or n in names]
    rows = []
    for image, label in zip(images, labels, strict=True):
        loss = F.cross_entropy(model(image[None]), label[None])
        found = torch.autograd.grad(loss, parameters)
        rows.append(torch.cat([each.flatten() for each in found]))
    return torch.stack(rows)


def fisher_diagonal(model: nn.Module, images) -> torch.Tensor:
    """(1/M) Σ_i Σ_y p(y|x_i) (∂ log p(y|x_i) / ∂θ)², `(P,)`."""
    parameters = list(model.parameters())
    total = torch.zeros(sum(p.numel() for p in parameters), dtype=images.dtype)
    for image in images:
        log_probabilities = model(image[None]).log_softmax(1)[0]
        for log_p in log_probabilities:
            found = torch.autograd.grad(log_p, parameters, retain_graph=True)
            squares = torch.cat([each.flatten() for each in found]) ** 2
            total += log_p.detach().exp() * squares
    return total / len(images)


def batch_mean_fisher(model: nn.Module, images, batch_size: int) -> torch.Tensor:
    """The mean over batches of Σ_y p̄_y (∇ mean_i ℓ(x_i, y))², `(P,)`."""
    parameters = list(model.parameters())
    total = torch.zeros(sum(p.numel() for p in parameters), dtype=images.dtype)
    batches = images.split(batch_size)
    for batch in batches:
        logits = model(batch)
        mean = logits.detach().softmax(1).mean(0)
        for y in range(logits.shape[1]):
            loss = F.cross_entropy(logits, torch.full((len(batch),), y))
            found = torch.autograd.grad(loss, parameters, retain_graph=True)
            total += mean[y] * torch.cat([each.flatten() for each in found]) ** 2
    return total / len(batches)


def forget_direction(forget: torch.Tensor, retain: torch.Tensor) -> torch.Tensor:
    """v = (1/N) Σ_forget g − (n_f / (N n_r)) Σ_retain g, from rows of gradients."""
    n_f, n_r = len(forget), len(retain)
    return forget.sum(0) / (n_f + n_r) - n_f / ((n_f + n_r) * n_r) * retain.sum(0)


def empirical_fisher(rows: torch.Tensor) -> torch.Tensor:
    """(1/M) Σ g gᵀ, `(P, P)`."""
    total = torch.zeros(rows.shape[1], rows.shape[1], dtype=rows.dtype)
    for g in rows:
        total += torch.outer(g, g)
    return total / len(rows)


def gauss_newton(model: nn.Module, images) -> torch.Tensor:
    """(1/M) Σ_i J_iᵀ (diag(p) − ppᵀ) J_i, `(P, P)`."""
    parameters = list(model.parameters())
    size = sum(p.numel() for p in parameters)
    total = torch.zeros(size, size, dtype=images.dtype)
    for image in images:
        logits = model(image[None])[0]
        jacobian = torch.stack(
            [
                torch.cat(
                    [
                        each.flatten()
                        for each in torch.autograd.grad(logit, parameters, retain_graph=True)
                    ]
                )
                for logit in logits
            ]
        )
        p = logits.detach().softmax(0)
        total += jacobian.T @ (torch.diag(p) - torch.outer(p, p)) @ jacobian
    return total / len(images)


def solve(curvature: torch.Tensor, vector: torch.Tensor, damping: float) -> torch.Tensor:
    """(λI + C)⁻¹ v, dense."""
    return torch.linalg.solve(
        damping * torch.eye(len(vector), dtype=vector.dtype) + curvature, vector
    )


def woodfisher(rows: torch.Tensor, vector: torch.Tensor, damping: float) -> torch.Tensor:
    """F_M⁻¹ v, F_{n+1}⁻¹ = F_n⁻¹ − F_n⁻¹ g gᵀ F_n⁻¹ / (M + gᵀ F_n⁻¹ g) as matrices, F_0 = λI."""
    inverse = torch.eye(rows.shape[1], dtype=rows.dtype) / damping
    for g in rows:
        along = inverse @ g
        inverse = inverse - torch.outer(along, along) / (len(rows) + g @ along)
    return inverse @ vector


def rank_one(rows: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """As published: o = g_0, k = v; then k −= (k·g)/(M + o·g) o and o −= (o·g)/(M + o·g) o."""
    count = len(rows)
    o, k = rows[0].clone(), vector.clone()
    for g in rows[1:]:
        inner = o @ g
        k = k - (k @ g) / (count + inner) * o
        o = o - inner / (count + inner) * o
    return k
