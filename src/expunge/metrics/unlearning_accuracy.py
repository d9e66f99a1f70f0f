"""UA: how much of the forget set a model gets wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence


def ua(evidence: Evidence) -> Measured:
    """100 minus the accuracy on the forget set, in percent."""
    from expunge.metrics.accuracy import unlearning_accuracy

    forgotten = evidence.forgotten()
    return Measured(unlearning_accuracy(forgotten.logits, forgotten.labels))


UA = Metric(
    name="ua",
    short="UA",
    title="unlearning accuracy",
    run=ua,
    needs=frozenset({"train", "forget"}),
    unit="percent",
    compared=True,
    summary="100 minus the accuracy on the forget set: how much of it the model now gets wrong.",
    good="close to Retrain's value, neither higher nor lower. In class-wise forgetting that is "
    "near 100; in random forgetting it is only the error on unseen samples, a few per cent.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
