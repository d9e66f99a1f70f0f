"""Sparsity after unlearning: the share of weights that are zero, or nearly so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence


def shares_below(evidence: Evidence) -> Measured:
    """By threshold: the fraction of counted weights of at most that magnitude; "0": zeros.

    Raises:
        MaskError: a counted weight is missing, or none is counted.
    """
    from expunge.sparsity.mask import chosen_weights
    from expunge.sparsity.thresholds import sparsity_at

    return Measured(
        dict(sparsity_at(chosen_weights(evidence.weights_of("model"), evidence.counted)))
    )


SPARSITY_AT = Metric(
    name="sparsity_at",
    short="Sparsity, measured",
    title="sparsity after unlearning",
    run=shares_below,
    needs=frozenset({"model"}),
    unit="fraction",
    tasks=frozenset({"classify", "generate"}),
    detailed=True,
    summary="The share of prunable weights that are zero in the unlearned model, and the share "
    "below each of several thresholds.",
    good="no lower than before unlearning: pruned weights stay zero.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
