"""Products with Jacobians, without forming the matrices.

If processes share the batches, `combine` gives every process the overall result; some processes may
have no batches.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from expunge.batch import Batch, map_batch
from expunge.curvature import Curvature
from expunge.curvature.batches import Batches, Combine, alone
from expunge.curvature.coordinates import Coordinates
from expunge.curvature.per_sample import one_by_one, wrong
from expunge.curvature.separate import FEW, check_separate
from expunge.errors import ModelError, out_of_memory
from expunge.tasks.task import Task


def push_forward(coordinates: Coordinates, logits: Tensor, vector: Tensor) -> Tensor:
    """J · vector `(B, classes)`: the derivative of `logits` along a direction in weight space.

    Computed by two backward passes through the graph of `logits` from `with_graph`: Jᵀu is linear
    in u, and its derivative by u along the vector is J · vector. More operations lack forward-mode
    derivatives than second derivatives.
    """
    dummy = torch.zeros_like(logits, requires_grad=True)
    pulled = torch.autograd.grad(
        logits, list(coordinates.parameters.values()), dummy, create_graph=True, allow_unused=True
    )
    pairs = [
        (each, part)
        for each, part in zip(pulled, coordinates.unflatten(vector).values(), strict=True)
        if each is not None
    ]
    along = torch.autograd.grad(
        [each for each, _ in pairs], dummy, [part for _, part in pairs], retain_graph=True
    )
    return along[0]


def check_products(model: nn.Module, coordinates: Coordinates, batch: Batch) -> None:
    """Refuse a network whose Jacobian products on a few samples are not those of its gradients.

    The model must be in evaluation mode.

    Raises:
        ModelError: a layer mixes samples, or cannot be differentiated twice.
    """
    check_separate(model, batch)
    few = map_batch(lambda tensor: tensor[:FEW], batch)
    vector = coordinates.flatten({name: p.cos() for name, p in coordinates.parameters.items()})
    logits = with_graph(model, few)
    cotangents = torch.linspace(0.5, 1.5, logits.shape[1]).to(logits).expand_as(logits)
    names = list(coordinates.parameters)
    by_name = one_by_one(model, names, few, cotangents[:, None])
    parts = coordinates.unflatten(vector)
    expected = torch.stack(
        [(by_name[name].flatten(1) * parts[name].flatten()).sum(1) for name in names]
    )
    try:
        found = (push_forward(coordinates, logits, vector) * cotangents).sum(1)
        difference = (found - expected.sum(0)).abs()
        # Terms of opposite signs may cancel: their rounding does not.
        right = bool((difference <= wrong(found.dtype) * expected.abs().sum(0)).all())
        reason = "they are not those of its gradients"
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        right, reason = False, " ".join(str(error).split())
    if not right:
        raise ModelError(
            f"products with the Jacobian of {type(model).__name__} need second derivatives, and "
            f"{reason}: use a solver that needs only first ones, such as woodbury"
        )


def gradient_products(
    model: nn.Module, coordinates: Coordinates, batches: Batches, vector: Tensor, task: Task
) -> Tensor:
    """g_i · vector for every sample, `(M,)`; g_i is the gradient of its loss."""
    found = []
    for batch, labels in batches():
        logits = with_graph(model, batch)
        along = push_forward(coordinates, logits, vector)
        found.append((task.cotangents(logits, labels) * along).sum(1))
    return torch.cat(found)


def weighted_gradient(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    weights: Tensor,
    task: Task,
    combine: Combine = alone,
) -> Tensor:
    """Σ_i w_i g_i over all samples, by one ordinary backward pass per batch.

    `weights` `(M,)` are the weights of the samples of `batches`, in order.
    """
    total = torch.zeros_like(coordinates.flatten(coordinates.parameters))
    weights = weights.to(total)
    start = 0
    for batch, labels in batches():
        share = weights[start : start + len(labels)]
        start += len(labels)
        logits = with_graph(model, batch)
        total += _pull_back(coordinates, logits, task.cotangents(logits, labels) * share[:, None])
    return combine(total)


def curvature_product(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    curvature: Curvature,
    task: Task,
    combine: Combine = alone,
) -> Callable[[Tensor], Tensor]:
    """The map from a vector to (1/M) Σ_i J_iᵀ S_i J_i · vector.

    For `ggn`, S_i is the Hessian of the loss by the outputs: diag(p) − ppᵀ for cross-entropy. For
    `fisher`, it is c cᵀ, with c the gradient by the outputs: then J_iᵀ S_i J_i = g_i g_iᵀ.
    """

    def product(vector: Tensor) -> Tensor:
        total = torch.zeros_like(vector)
        count = 0
        for batch, labels in batches():
            logits = with_graph(model, batch)
            along = push_forward(coordinates, logits, vector)
            if curvature == "ggn":
                inner = task.gauss_newton(logits, along)
            else:
                residual = task.cotangents(logits, labels)
                inner = residual * (residual * along).sum(1, keepdim=True)
            total += _pull_back(coordinates, logits, inner)
            count += len(labels)
        return combine(total) / combine(torch.tensor(count, device=total.device))

    return product


def with_graph(model: nn.Module, batch: Batch) -> Tensor:
    """Logits `(B, classes)` with a graph that can be differentiated twice.

    Attention is not fused: fused kernels have no second derivative.
    """
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        logits: Tensor = model(batch)
    return logits


def _pull_back(coordinates: Coordinates, logits: Tensor, cotangents: Tensor) -> Tensor:
    """Jᵀ · cotangents, summed over the batch."""
    gradients = torch.autograd.grad(
        logits,
        list(coordinates.parameters.values()),
        cotangents,
        allow_unused=True,
        materialize_grads=True,
    )
    return coordinates.flatten(dict(zip(coordinates.parameters, gradients, strict=True)))
