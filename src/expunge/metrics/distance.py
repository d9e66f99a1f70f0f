"""The distance between two networks' weights: the paper's unlearning error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from expunge.errors import DivergedError, MaskError, ModelError, some
from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.metrics.evidence import Evidence
    from expunge.types import Mask


def to_reference(evidence: Evidence) -> Measured:
    """‖θ − θ_Retrain‖₂ over all parameters."""
    weights = evidence.weights_of("model")
    return Measured(weight_distance(weights, _of(weights, evidence.weights_of("reference"))))


def drift(evidence: Evidence) -> Measured:
    """‖m ⊙ (θ − θ_original)‖₂, over the weights that the mask keeps."""
    weights = evidence.weights_of("model")
    before = _of(weights, evidence.weights_of("base"))
    return Measured(weight_distance(weights, before, evidence.mask))


def weight_distance(
    state_a: Mapping[str, Tensor], state_b: Mapping[str, Tensor], mask: Mask | None = None
) -> float:
    """‖m ⊙ (θ_a − θ_b)‖₂ over all parameters, summed in float64.

    The error e(m) of "Model Sparsity Can Simplify Machine Unlearning" (Jia et al., NeurIPS 2023),
    section 3, between an approximate unlearner and Retrain.

    Args:
        state_a: parameter name to tensor, as in `dict(model.named_parameters())`.
        state_b: the same names and shapes.
        mask: only the weights that it keeps count; a parameter without a mask counts in full.

    Raises:
        ModelError: names, shapes or dtypes of the parameters differ.
        MaskError: the mask names other parameters, or has another shape.
        DivergedError: a weight is not finite.
    """
    import torch

    mask = mask or {}
    _check(state_a, state_b, mask)
    total = 0.0
    with torch.no_grad():
        for name, a in state_a.items():
            difference = a.to("cpu", torch.float64) - state_b[name].to("cpu", torch.float64)
            kept = difference[mask[name].cpu()] if name in mask else difference
            total += float(kept.square().sum())
    if not math.isfinite(total):
        raise DivergedError("the weight distance is not finite: a network has diverged")
    return math.sqrt(total)


def _of(weights: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of `others` that `weights` has, because `others` may include buffers."""
    return {name: others[name] for name in weights if name in others}


def _check(state_a: Mapping[str, Tensor], state_b: Mapping[str, Tensor], mask: Mask) -> None:
    import torch

    unmatched = sorted(state_a.keys() ^ state_b.keys())
    if unmatched:
        raise ModelError(f"the two networks do not have the same parameters: {some(unmatched)}")
    for name, a in state_a.items():
        b = state_b[name]
        if a.shape != b.shape:
            raise ModelError(
                f"{name} has shape {tuple(a.shape)} in one network, {tuple(b.shape)} in the other"
            )
        if not (a.is_floating_point() and b.is_floating_point()):
            raise ModelError(f"{name} is {a.dtype}: expected parameters, not buffers that count")
    foreign = sorted(mask.keys() - state_a.keys())
    if foreign:
        raise MaskError(f"the mask names parameters that the networks lack: {some(foreign)}")
    for name, kept in mask.items():
        if kept.dtype != torch.bool or kept.shape != state_a[name].shape:
            raise MaskError(
                f"the mask of {name} must be bool {tuple(state_a[name].shape)}, "
                f"got {kept.dtype} {tuple(kept.shape)}"
            )


WEIGHT_DISTANCE = Metric(
    name="weight_distance",
    short="Weight distance",
    title="distance to Retrain's weights",
    run=to_reference,
    needs=frozenset({"model", "reference"}),
    unit="norm",
    tasks=frozenset({"classify", "generate"}),
    summary="L2 norm of the difference between the unlearned and the retrained weights.",
    good="small, with care: two trainings of the same data also end far apart.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)

DRIFT = Metric(
    name="drift",
    short="Drift",
    title="distance from the original weights",
    run=drift,
    needs=frozenset({"model", "base"}),
    unit="norm",
    tasks=frozenset({"classify", "generate"}),
    summary="L2 norm of what unlearning changed in the weights that are not pruned.",
    good="neither way by itself: it scales the bound on the unlearning error that sparsity "
    "tightens.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
