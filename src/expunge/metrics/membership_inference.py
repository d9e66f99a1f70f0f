"""MIA-efficacy and MIA-privacy: a membership attack on the confidence in the true class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.arrays import FloatArray
    from expunge.metrics.evidence import Evidence, Predictions


def efficacy(evidence: Evidence) -> Measured:
    """Percentage of the forget set that the attack judges to be non-members.

    Raises:
        DataError: too few samples are left to fit the attack.
    """
    from expunge.metrics.membership.protocol import mia_efficacy

    retained = _confidence(evidence.retained())
    unseen = _confidence(evidence.of_remaining_classes("test"))
    forgotten = _confidence(evidence.forgotten())
    return Measured(mia_efficacy(retained, unseen, forgotten, evidence.seed))


def privacy(evidence: Evidence) -> Measured:
    """Balanced accuracy of the attack on other retained and other test samples, in percent.

    Raises:
        DataError: too few samples are left to learn from.
    """
    from expunge.metrics.membership.protocol import mia_privacy

    retained = _confidence(evidence.retained())
    unseen = _confidence(evidence.of_remaining_classes("test"))
    return Measured(mia_privacy(retained, unseen, evidence.seed))


def _confidence(predictions: Predictions) -> FloatArray:
    from expunge.metrics.membership.features import true_class_confidence

    return true_class_confidence(predictions.logits, predictions.labels)


MIA_EFFICACY = Metric(
    name="mia_efficacy",
    short="MIA-efficacy",
    title="efficacy against a membership inference attack",
    run=efficacy,
    needs=frozenset({"train", "test", "forget"}),
    unit="percent",
    compared=True,
    summary="The share of the forget set that an attacker, who sees the confidence in the true "
    "class, takes for samples that were never trained on.",
    good="close to Retrain's value, neither higher nor lower. Far above it, the forget set stands "
    "out for being forgotten.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)

MIA_PRIVACY = Metric(
    name="mia_privacy",
    short="MIA-privacy",
    title="leakage to a membership inference attack",
    run=privacy,
    needs=frozenset({"train", "test"}),
    unit="percent",
    summary="How often the attacker rightly tells retained training samples from test samples; "
    "50 is guessing.",
    good="near 50, or no higher than Retrain's: above it, unlearning exposes those who stay.",
    cite="Song and Mittal, Systematic Evaluation of Privacy Risks of Machine Learning Models, "
    "USENIX Security 2021",
)
