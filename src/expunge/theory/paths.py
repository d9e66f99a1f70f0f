"""SGD from one start, in one order, with and without the forgotten samples.

A step is θ ← m ⊙ (θ − η/|B| Σ_{z ∈ B} ∇ℓ(θ; z)), with B a batch of all samples. Forgotten samples
are left out of the sum, but |B| is unchanged, so that a retained sample has the same weight in both
paths and they differ only in the forgotten samples. Networks are in evaluation mode: the loss of a
sample must not depend on the others in its batch.
"""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from expunge.batch import Batch
from expunge.modes import mode
from expunge.settings import Training
from expunge.sparsity.mask import apply_mask
from expunge.sparsity.masker import Masker
from expunge.training.batches import shuffled_batches
from expunge.training.fit import check_finite
from expunge.training.reproducibility import full_float32
from expunge.types import Context, Samples


def path_batches(samples: int, training: Training, context: Context) -> list[Tensor]:
    """The batches of all epochs, in the order of `fit` with the same context."""
    order = context.generator("order")
    everything = torch.arange(samples)
    return [
        batch
        for _ in range(training.epochs)
        for batch in shuffled_batches(everything, training.batch_size, order)
    ]


def walk(
    model: nn.Module,
    samples: Samples,
    batches: Sequence[Tensor],
    lr: float,
    context: Context,
    *,
    without: Tensor | None = None,
    label: str = "path",
) -> None:
    """Take one SGD step with learning rate `lr` per batch, in place, without the samples `without`.

    Raises:
        DivergedError: a final weight is not finite.
        MaskError: the context's mask does not belong to the model.
    """
    present = torch.ones(len(samples), dtype=torch.bool)
    if without is not None:
        present[without] = False
    shares = [batch[present[batch]] for batch in batches]
    labels = samples.labels.to(context.device)
    model.to(context.device)
    if context.mask is not None:
        apply_mask(model, context.mask)
    keep_zeros = Masker(model, context.mask) if context.mask is not None else None
    parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
    seen = 0
    with mode(model, training=False), full_float32():
        steps = zip(batches, shares, _stored(samples, shares, context), strict=True)
        for step, (batch, share, stored) in enumerate(steps, start=1):
            # A batch of only forgotten samples changes nothing.
            if len(share):
                loss = _losses(model, stored, labels[share.to(labels.device)], context)
                gradients = torch.autograd.grad(loss.sum(), parameters, materialize_grads=True)
                with torch.no_grad():
                    torch._foreach_add_(parameters, list(gradients), alpha=-lr / len(batch))
                if keep_zeros is not None:
                    keep_zeros()
            seen += len(share)
            context.progress(label, step, len(batches), seen)
    check_finite(model, label)


def add_back(
    model: nn.Module,
    start: nn.Module,
    samples: Samples,
    batches: Sequence[Tensor],
    lr: float,
    forget: Tensor,
    context: Context,
    *,
    batch_size: int = 500,
) -> nn.Module:
    """The theorem's unlearner: θ_t + m ⊙ Σ_k η/|B_k| Σ_{z ∈ B_k, forgotten} ∇ℓ(θ_0; z).

    All gradients are taken at the start, in one step ("Unrolling SGD", Thudi et al., EuroS&P
    2022). Neither `model`, at θ_t, nor `start`, at θ_0, is modified.

    Raises:
        DivergedError: a weight of the result is not finite.
        MaskError: the context's mask does not belong to the model.
    """
    weight = torch.zeros(len(samples))
    for batch in batches:
        weight[batch] += lr / len(batch)
    origin = copy.deepcopy(start).to(context.device)
    unlearned = copy.deepcopy(model).to(context.device)
    parameters = [p for p in origin.parameters() if p.requires_grad]
    targets: list[Tensor] = [p for p in unlearned.parameters() if p.requires_grad]
    labels, weight = samples.labels.to(context.device), weight.to(context.device)
    shares = torch.split(forget, batch_size)
    with mode(origin, training=False), full_float32():
        for share, stored in zip(shares, _stored(samples, shares, context), strict=True):
            here = share.to(context.device)
            loss = _losses(origin, stored, labels[here], context)
            weighted = (loss * weight[here]).sum()
            gradients = torch.autograd.grad(weighted, parameters, materialize_grads=True)
            with torch.no_grad():
                torch._foreach_add_(targets, list(gradients))
    if context.mask is not None:
        apply_mask(unlearned, context.mask)
    check_finite(unlearned, "add back")
    return unlearned


def _losses(model: nn.Module, stored: Batch, targets: Tensor, context: Context) -> Tensor:
    return context.task.loss(model(context.task.inputs(stored)), targets)


def _stored(samples: Samples, shares: Sequence[Tensor], context: Context) -> Iterator[Batch]:
    return samples.inputs.to(context.device).batches(shares)
