"""The diagonal of the Fisher information, F = E_x E_{y∼p(y|x)} (∂ log p(y|x) / ∂θ)².

The expectation is over the model's predictions, not the labels; for cross-entropy this is also the
diagonal of the generalised Gauss-Newton matrix (Martens 2020, section 9). If processes share the
batches, `combine` gives every process the overall result; some processes may have no batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from expunge.curvature.batches import Batches, Combine, alone
from expunge.curvature.coordinates import Coordinates
from expunge.curvature.per_sample import Network
from expunge.tasks.task import Task

_AT_ONCE = 10
"""Number of functions per sample whose gradients are in memory at once."""


def exact_fisher(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    task: Task,
    combine: Combine = alone,
) -> dict[str, Tensor]:
    """The mean over samples of Σ_y p(y|x) (∂ log p(y|x) / ∂θ)², by parameter name.

    Pruned coordinates are zero. The model must be in evaluation mode. For C classes it takes C − 1
    backward passes per batch.
    """

    def directions(outputs: Tensor, start: int) -> Tensor:
        return covariance_root(task.probabilities(outputs))

    return _mean_squares(model, coordinates, batches, directions, combine)


def covariance_root(probabilities: Tensor) -> Tensor:
    """The rows d_k `(B, C − 1, C)` with Σ_k d_k d_kᵀ = diag(p) − ppᵀ, for p `(B, C)`.

    This is the covariance of a label drawn from p, and its rank is C − 1: the squared derivatives
    along d_k sum to the expectation over all C labels. d_k = √(p_k q_k / s_k) (e_k − p_{>k} / q_k),
    where s_k and q_k are the sums of p from k on and after k (Tanabe & Sagae 1992).
    """
    classes = probabilities.shape[1]
    # Sums from the end: 1 minus a sum from the beginning would lose small tails.
    from_here = probabilities.flip(1).cumsum(1).flip(1)
    # If a tail is zero, so is everything divided by it.
    tiny = torch.finfo(probabilities.dtype).tiny
    here, after = from_here[:, :-1].clamp(min=tiny), from_here[:, 1:].clamp(min=tiny)
    scale = (probabilities[:, :-1] * (from_here[:, 1:] / here)).sqrt()
    unit = torch.eye(classes, dtype=probabilities.dtype, device=probabilities.device)
    tail = probabilities[:, None].expand(-1, classes - 1, -1).triu(1)
    return scale[:, :, None] * (unit[:-1] - tail / after[:, :, None])


def sampled_fisher(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    uniforms: Tensor,
    task: Task,
    combine: Combine = alone,
) -> dict[str, Tensor]:
    """The same, with labels drawn from p(y|x) for every sample instead of all classes.

    Unbiased. It takes one backward pass per draw, whatever the number of classes. `uniforms`
    `(M, draws)` are uniform in [0, 1), for the samples of `batches` in order: a label is the first
    whose cumulative probability is greater. So draws do not depend on the device, or on how samples
    are batched and shared.
    """

    def directions(outputs: Tensor, start: int) -> Tensor:
        probabilities = task.probabilities(outputs)
        drawn = uniforms[start : start + len(probabilities)].to(probabilities)
        labels = torch.searchsorted(probabilities.cumsum(1), drawn, right=True)
        # The sum of all probabilities may be rounded to less than one.
        labels = labels.clamp(max=probabilities.shape[1] - 1)
        along = [task.cotangents(outputs, each) for each in labels.unbind(1)]
        return torch.stack(along, 1) / math.sqrt(uniforms.shape[1])

    return _mean_squares(model, coordinates, batches, directions, combine)


def signed_fisher(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    signs: Tensor,
    task: Task,
    combine: Combine = alone,
) -> dict[str, Tensor]:
    """The same, with the rows of `covariance_root` summed with random signs for every sample.

    Unbiased, and exact for two classes. It takes one backward pass per draw. `signs`
    `(M, draws, C − 1)` are ±1, for the samples of `batches` in order. The variance of
    (Σ_k ε_k a_k)² is 2 ((Σ_k a_k²)² − Σ_k a_k⁴) (Hutchinson 1990). So where f_i is the share of
    sample i in a weight's F, its relative standard error is at most
    √(2 / draws) · √(Σ_i f_i²) / Σ_i f_i, however sure the model is. That of drawn labels has no
    such bound: a label that is hardly ever drawn may hold most of F.
    """

    def directions(outputs: Tensor, start: int) -> Tensor:
        root = covariance_root(task.probabilities(outputs))
        drawn = signs[start : start + len(root)].to(root)
        return drawn @ root / math.sqrt(signs.shape[1])

    return _mean_squares(model, coordinates, batches, directions, combine)


def batch_mean_fisher(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    task: Task,
    combine: Combine = alone,
) -> dict[str, Tensor]:
    """The published variant: the mean over batches of Σ_y p̄_y (∇ mean_i ℓ(x_i, y))².

    p̄_y is the mean probability of class y in the batch. It is not the Fisher information: gradients
    of different samples cancel before they are squared, and labels count with their mean
    probability, also for samples that all but exclude them.
    """
    parameters = list(coordinates.parameters.values())
    total = [torch.zeros_like(p) for p in parameters]
    count = 0
    for batch, _ in batches():
        with torch.enable_grad():
            log_probabilities = task.log_probabilities(model(batch))
            losses = -log_probabilities.mean(0)
        weights = log_probabilities.detach().exp().mean(0)
        for loss, weight in zip(losses, weights, strict=True):
            gradients = torch.autograd.grad(
                loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
            )
            for into, gradient in zip(total, gradients, strict=True):
                into.add_(weight * gradient.square())
        count += 1
    by_name = dict(zip(coordinates.parameters, total, strict=True))
    return _mean(coordinates, by_name, count, combine)


def _mean_squares(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    directions: Callable[[Tensor, int], Tensor],
    combine: Combine,
) -> dict[str, Tensor]:
    """The mean over samples of Σ_k (∂ d_k · logits / ∂θ)².

    `directions` returns the d_k `(B, K, classes)` of a batch, from its outputs and start index.
    """
    total = {name: torch.zeros_like(p) for name, p in coordinates.parameters.items()}
    network: Network | None = None
    held: dict[str, Tensor] = {}
    count = 0
    for batch, labels in batches():
        if network is None:
            network = Network(model, coordinates.parameters, batch)
        done = network.run(batch)
        # Many classes are processed in parts, to bound the memory.
        for part in torch.split(directions(done.logits, count), _AT_ONCE, 1):
            for name, squares in done.squares(part, held):
                total[name] += squares
        count += len(labels)
    return _mean(coordinates, total, count, combine)


def _mean(
    coordinates: Coordinates, total: Mapping[str, Tensor], count: int, combine: Combine
) -> dict[str, Tensor]:
    """The mean over all processes, from this process's sums of `count` terms."""
    device = next(iter(total.values())).device
    terms = combine(torch.tensor(count, device=device))
    return {name: coordinates.restrict(name, combine(sums) / terms) for name, sums in total.items()}
