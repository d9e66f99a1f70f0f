"""What is measured: pure functions of logits, labels and weights."""

from expunge.metrics.accuracy import accuracy, unlearning_accuracy
from expunge.metrics.distance import weight_distance
from expunge.metrics.gap import COMPARED, gap
from expunge.metrics.membership import (
    ATTACKS,
    DEFAULT_ATTACKS,
    Attack,
    get_attack,
    mia_efficacy,
    mia_privacy,
    run_attacks,
    true_class_confidence,
)
from expunge.metrics.summary import (
    Predictions,
    attack_results,
    confidence_histograms,
    evaluate,
)

__all__ = [
    "ATTACKS",
    "COMPARED",
    "DEFAULT_ATTACKS",
    "Attack",
    "Predictions",
    "accuracy",
    "attack_results",
    "confidence_histograms",
    "evaluate",
    "gap",
    "get_attack",
    "mia_efficacy",
    "mia_privacy",
    "run_attacks",
    "true_class_confidence",
    "unlearning_accuracy",
    "weight_distance",
]
