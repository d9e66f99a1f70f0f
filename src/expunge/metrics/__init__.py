"""The metrics: one, or a related pair, per file, and `METRICS`."""

from expunge.errors import ConfigError, unknown
from expunge.metrics import (
    attack_success,
    attacks,
    confidence,
    distance,
    frechet,
    generation,
    groups,
    klom,
    membership_inference,
    near_copies,
    old_label,
    remaining_accuracy,
    sparsity,
    testing_accuracy,
    unlearning_accuracy,
)
from expunge.metrics.metric import MARGINS, Metric
from expunge.plugins import with_added

METRICS: tuple[Metric, ...] = (
    unlearning_accuracy.UA,
    membership_inference.MIA_EFFICACY,
    remaining_accuracy.RA,
    testing_accuracy.TA,
    testing_accuracy.TA_FORGOTTEN,
    membership_inference.MIA_PRIVACY,
    membership_inference.MIA_EFFICACY_ONE_DRAW,
    distance.WEIGHT_DISTANCE,
    distance.DRIFT,
    attack_success.ASR,
    attack_success.ASR_ALL,
    sparsity.SPARSITY_AT,
    attacks.ATTACKS,
    confidence.CONFIDENCE,
    generation.UA_GENERATED,
    generation.ACCURACY_GENERATED,
    frechet.FRECHET,
    frechet.FRECHET_FLOOR,
    near_copies.NEAR_COPIES,
    old_label.OLD_LABEL,
    groups.WORST_GROUP_ACCURACY,
    groups.CONFLICTING_ACCURACY,
    groups.ACCURACY_DIFFERENCE,
    groups.GROUP_ACCURACY,
    klom.KLOM,
)

DEFAULT_METRICS = (
    *("ua", "ra", "ta", "ta_forgotten", "mia_efficacy", "mia_privacy", "drift", "weight_distance"),
    *("mia_efficacy_one_draw", "sparsity_at", "attacks", "confidence"),
)
"""The metrics of a grid whose recipe names none, whatever else is installed."""

DEFAULTS = {
    "classify": DEFAULT_METRICS,
    "generate": (
        *("ua_generated", "accuracy_generated", "frechet", "frechet_floor", "near_copies"),
        *("drift", "weight_distance", "sparsity_at"),
    ),
}
"""The same by the task of the models."""
GROUP_METRICS = (
    *("worst_group_accuracy", "conflicting_accuracy", "accuracy_difference", "group_accuracy"),
)
"""What is measured besides where the data have groups."""

COMPARED = tuple(metric.name for metric in METRICS if metric.compared)
"""The metrics that the gap averages, as in the paper's tables."""


def all_metrics() -> dict[str, Metric]:
    """Every metric by name: `METRICS`, then those of entry points `expunge.metrics`.

    Raises:
        ConfigError: an added metric is not a `Metric`, or its name is taken.
    """
    return with_added("expunge.metrics", Metric, METRICS)


def get_metric(name: str) -> Metric:
    """The metric called `name`.

    Raises:
        ConfigError: no metric has this name; the message lists the names.
    """
    metrics = all_metrics()
    if name not in metrics:
        raise ConfigError(unknown("metric", name, metrics))
    return metrics[name]


def metric_of_a_model(name: str) -> Metric:
    """The metric called `name`, if one model is enough for it.

    Raises:
        ConfigError: no metric has this name, or it is of many models at once.
    """
    metric = get_metric(name)
    if MARGINS in metric.needs:
        raise ConfigError(
            f"metric {name} is of many unlearned and retrained models at once, which a grid does "
            "not have: measure it with expunge evaluate --logits FOLDER"
        )
    return metric
