"""Sparsity after unlearning: the share of weights that are zero, or nearly so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence


def sparsity(evidence: Evidence) -> Measured:
    """`measured`, the fraction of the counted weights that are zero; `at`, below each threshold.

    Raises:
        MaskError: a counted weight is not there, or there are none.
    """
    from expunge.sparsity.mask import chosen_weights, zero_share
    from expunge.sparsity.thresholds import sparsity_at

    counted = chosen_weights(evidence.weights_of("model"), evidence.counted)
    return Measured({"measured": zero_share(counted), "at": dict(sparsity_at(counted))})


SPARSITY = Metric(
    name="sparsity",
    short="Sparsity, measured",
    title="sparsity after unlearning",
    run=sparsity,
    needs=frozenset({"model"}),
    unit="fraction",
    detailed=True,
    summary="The share of prunable weights that are zero in the unlearned model, and the share "
    "below each of several thresholds.",
    good="no lower than before unlearning: pruned weights stay zero.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
