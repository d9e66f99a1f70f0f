"""RA: accuracy on the retained training samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence


def ra(evidence: Evidence) -> Measured:
    """Accuracy on the retained training samples, in percent."""
    from expunge.metrics.accuracy import accuracy

    retained = evidence.retained()
    return Measured(accuracy(retained.logits, retained.labels))


RA = Metric(
    name="ra",
    short="RA",
    title="remaining accuracy",
    run=ra,
    needs=frozenset({"train"}),
    unit="percent",
    compared=True,
    summary="Accuracy on the training samples that are retained.",
    good="close to Retrain's value, neither higher nor lower. A fall means that unlearning took "
    "more than it was asked to.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
