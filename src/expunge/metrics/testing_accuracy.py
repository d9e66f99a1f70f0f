"""TA: accuracy on the test set, and on its samples of forgotten classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence


def ta(evidence: Evidence) -> Measured:
    """Accuracy on the test set, without the classes forgotten as a whole, in percent.

    Raises:
        DataError: every test sample is of a forgotten class.
    """
    from expunge.metrics.accuracy import accuracy

    test = evidence.of_remaining_classes("test")
    return Measured(accuracy(test.logits, test.labels))


def ta_forgotten(evidence: Evidence) -> Measured:
    """Accuracy on the test samples of the forgotten classes, in percent."""
    from expunge.metrics.accuracy import accuracy

    gone = evidence.of_forgotten_classes("test")
    if not evidence.classes:
        return Measured(None, "no class is forgotten in full")
    if not gone.any():
        return Measured(None, "the test set has no sample of the forgotten classes")
    test = evidence.predictions_of("test").at(gone)
    return Measured(accuracy(test.logits, test.labels))


TA = Metric(
    name="ta",
    short="TA",
    title="testing accuracy",
    run=ta,
    needs=frozenset({"test"}),
    unit="percent",
    compared=True,
    summary="Accuracy on the test set; in class-wise forgetting, on its remaining classes.",
    good="close to Retrain's value, neither higher nor lower. A fall means that the model "
    "generalises less well.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)

TA_FORGOTTEN = Metric(
    name="ta_forgotten",
    short="TA, forgotten",
    title="testing accuracy on the forgotten classes",
    run=ta_forgotten,
    needs=frozenset({"test"}),
    unit="percent",
    summary="Accuracy on the test images of the classes that were forgotten.",
    good="close to Retrain's value, neither higher nor lower, which is 0 for a class that it never "
    "saw.",
    cite="Golatkar, Achille and Soatto, Eternal Sunshine of the Spotless Net, CVPR 2020",
)
