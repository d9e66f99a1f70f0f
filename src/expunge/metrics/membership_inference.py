"""MIA-efficacy and MIA-privacy: a membership attack on the confidence in the true class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.draws import AGREE, FEW, MANY
from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.arrays import FloatArray
    from expunge.metrics.evidence import Evidence, Predictions
    from expunge.metrics.membership.protocol import Known


def efficacy(evidence: Evidence) -> Measured:
    """Percentage of the forget set that the attack judges to be non-members, the mean over draws.

    Raises:
        DataError: too few samples are left to fit the attack.
    """
    from expunge.metrics.membership.protocol import efficacy_over_draws

    forgotten = _confidence(evidence.forgotten())
    return Measured.over(efficacy_over_draws(*_known(evidence), forgotten, evidence.seed))


def efficacy_of_one_draw(evidence: Evidence) -> Measured:
    """Percentage of the forget set that the attack judges to be non-members, in one draw.

    Raises:
        DataError: too few samples are left to fit the attack.
    """
    from expunge.metrics.membership.protocol import mia_efficacy

    retained = _confidence(evidence.retained())
    unseen = _confidence(evidence.of_remaining_classes("test"))
    forgotten = _confidence(evidence.forgotten())
    return Measured(mia_efficacy(retained, unseen, forgotten, evidence.seed))


def privacy(evidence: Evidence) -> Measured:
    """Balanced accuracy of the attack on other retained and test samples, in percent, over draws.

    Raises:
        DataError: too few samples are left to fit the attack.
    """
    from expunge.metrics.membership.protocol import privacy_over_draws

    return Measured.over(privacy_over_draws(*_known(evidence), evidence.seed))


def _known(evidence: Evidence) -> tuple[Known, Known]:
    """The retained samples, and the test samples without those of forgotten classes."""
    import numpy as np

    from expunge.metrics.membership.protocol import Known
    from expunge.metrics.membership.sampling import keys_of

    retained = Known(_confidence(evidence.retained()), keys_of(evidence.retained_ids()))
    places = np.flatnonzero(~evidence.of_forgotten_classes("test"))
    unseen = _confidence(evidence.of_remaining_classes("test"))
    return retained, Known(unseen, keys_of(str(place) for place in places.tolist()))


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
    drawn=True,
    version=2,
    summary="The share of the forget set that an attacker, who sees the confidence in the true "
    f"class, takes for samples that were never trained on: the mean over {FEW} draws of the "
    f"attacker's sample, over {MANY} where their standard deviation exceeds {AGREE:g} points.",
    good="close to Retrain's value, neither higher nor lower. Far above it, the forget set stands "
    "out for being forgotten.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)

MIA_EFFICACY_ONE_DRAW = Metric(
    name="mia_efficacy_one_draw",
    short="MIA-efficacy, one draw",
    title="efficacy against a membership inference attack, in one draw of the attacker's sample",
    run=efficacy_of_one_draw,
    needs=frozenset({"train", "test", "forget"}),
    unit="percent",
    summary="As MIA-efficacy, of a single draw of the attacker's sample, as published tables have "
    "it. Where draws disagree, it can be almost anything.",
    good="close to Retrain's value; better to compare the mean over draws.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)

MIA_PRIVACY = Metric(
    name="mia_privacy",
    short="MIA-privacy",
    title="leakage to a membership inference attack",
    run=privacy,
    needs=frozenset({"train", "test"}),
    unit="percent",
    drawn=True,
    version=2,
    summary="How often the attacker rightly tells retained training samples from test samples; "
    "50 is guessing. The mean over draws, as MIA-efficacy.",
    good="near 50, or no higher than Retrain's: above it, unlearning exposes those who stay.",
    cite="Song and Mittal, Systematic Evaluation of Privacy Risks of Machine Learning Models, "
    "USENIX Security 2021",
)
