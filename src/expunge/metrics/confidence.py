"""Histograms of the confidence in the true class, before and after unlearning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.errors import DataError
from expunge.metrics.metric import Measured, Metric, Value

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence, Predictions

BINS = 20
"""Equal intervals of 0-1."""


def confidence(evidence: Evidence) -> Measured:
    """Histograms of `forget`, `retain` and `test`, of the model `before` unlearning and `after`."""
    return Measured({"before": _of_model(evidence, "base_"), "after": _of_model(evidence, "")})


def histogram(predictions: Predictions, bins: int = BINS) -> list[float]:
    """Shares in percent over equal intervals of 0-1, closed below; the last is closed above, too.

    Raises:
        DataError: `bins` is not positive.
    """
    import numpy as np

    from expunge.metrics.membership.features import true_class_confidence

    if bins < 1:
        raise DataError(f"a histogram needs at least 1 bin, got {bins}")
    values = true_class_confidence(predictions.logits, predictions.labels)
    counts, _ = np.histogram(values, bins=bins, range=(0.0, 1.0))
    return [100.0 * count / len(values) for count in counts.tolist()]


def _of_model(evidence: Evidence, whose: str) -> dict[str, Value]:
    return {
        "forget": [*histogram(evidence.forgotten(f"{whose}train"))],
        "retain": [*histogram(evidence.retained(f"{whose}train"))],
        "test": [*histogram(evidence.predictions_of(f"{whose}test"))],
    }


CONFIDENCE = Metric(
    name="confidence",
    short="Confidence",
    title="confidence in the true class",
    run=confidence,
    needs=frozenset({"train", "test", "base_train", "base_test", "forget"}),
    unit="percent",
    detailed=True,
    summary="How confident the model is in the true class of forgotten, retained and test samples, "
    "before and after unlearning: shares of the samples in 20 intervals of 0-1.",
    good="forgotten samples look like test samples, not like retained ones.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
