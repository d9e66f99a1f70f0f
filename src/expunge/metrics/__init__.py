"""What is measured: one measure, or a pair of kin, a file, and `METRICS`."""

from expunge.errors import ConfigError, unknown
from expunge.metrics import (
    attack_success,
    attacks,
    confidence,
    distance,
    membership_inference,
    remaining_accuracy,
    sparsity,
    testing_accuracy,
    unlearning_accuracy,
)
from expunge.metrics.metric import Metric
from expunge.plugins import with_added

METRICS: tuple[Metric, ...] = (
    unlearning_accuracy.UA,
    membership_inference.MIA_EFFICACY,
    remaining_accuracy.RA,
    testing_accuracy.TA,
    testing_accuracy.TA_FORGOTTEN,
    membership_inference.MIA_PRIVACY,
    distance.WEIGHT_DISTANCE,
    distance.DRIFT,
    attack_success.ASR,
    attack_success.ASR_ALL,
    sparsity.SPARSITY_AT,
    attacks.ATTACKS,
    confidence.CONFIDENCE,
)

DEFAULT_METRICS = (
    *("ua", "ra", "ta", "ta_forgotten", "mia_efficacy", "mia_privacy", "drift", "weight_distance"),
    *("sparsity_at", "attacks", "confidence"),
)
"""What a grid measures whose recipe names no metrics, whatever else is installed."""

COMPARED = tuple(metric.name for metric in METRICS if metric.compared)
"""The metrics that the gap is over, as in the paper's tables."""


def all_metrics() -> dict[str, Metric]:
    """Every metric by name: `METRICS`, then what packages add as entry points `expunge.metrics`.

    Raises:
        ConfigError: an added metric is no `Metric`, or takes a name that is already there.
    """
    return with_added("expunge.metrics", Metric, METRICS)


def get_metric(name: str) -> Metric:
    """The metric called `name`.

    Raises:
        ConfigError: there is none; lists those that there are.
    """
    metrics = all_metrics()
    if name not in metrics:
        raise ConfigError(unknown("metric", name, metrics))
    return metrics[name]
