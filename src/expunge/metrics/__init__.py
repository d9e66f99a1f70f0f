"""What is measured: pure functions of logits, labels and weights."""

from expunge.metrics.accuracy import accuracy, unlearning_accuracy
from expunge.metrics.distance import weight_distance
from expunge.metrics.gap import COMPARED, gap
from expunge.metrics.membership import mia_efficacy, mia_privacy, true_class_confidence
from expunge.metrics.summary import Predictions, confidence_histograms, evaluate

__all__ = [
    "COMPARED",
    "Predictions",
    "accuracy",
    "confidence_histograms",
    "evaluate",
    "gap",
    "mia_efficacy",
    "mia_privacy",
    "true_class_confidence",
    "unlearning_accuracy",
    "weight_distance",
]
