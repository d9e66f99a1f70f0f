"""The distance of a result from exact retraining."""

import math
from collections.abc import Mapping

from expunge.errors import DataError, some

COMPARED = ("ua", "mia_efficacy", "ra", "ta")
"""The metrics that the gap is over, as in the paper's tables."""


def gap(
    metrics: Mapping[str, float | None], reference: Mapping[str, float | None]
) -> dict[str, float]:
    """Absolute differences to the retrained model in points, and `avg`, their mean.

    Args:
        metrics: of the unlearned model; at least the names in `COMPARED`, in percent.
        reference: the same of the retrained model.

    Raises:
        DataError: a metric is missing or not finite.

    >>> retrain = {"ua": 100.0, "mia_efficacy": 100.0, "ra": 100.0, "ta": 94.0}
    >>> gap({"ua": 90.0, "mia_efficacy": 96.0, "ra": 100.0, "ta": 96.0}, retrain)
    {'ua': 10.0, 'mia_efficacy': 4.0, 'ra': 0.0, 'ta': 2.0, 'avg': 4.0}
    """
    here, there = _compared("the metrics", metrics), _compared("the reference", reference)
    differences = {name: abs(here[name] - there[name]) for name in COMPARED}
    return differences | {"avg": sum(differences.values()) / len(COMPARED)}


def _compared(whose: str, metrics: Mapping[str, float | None]) -> dict[str, float]:
    """The compared metrics, all there and finite."""
    values = {name: metrics.get(name) for name in COMPARED}
    finite = {name: x for name, x in values.items() if x is not None and math.isfinite(x)}
    lacking = values.keys() - finite.keys()
    if lacking:
        raise DataError(
            f"the gap needs {', '.join(COMPARED)}, but {some(sorted(lacking))} of {whose} is "
            "missing or not finite"
        )
    return finite
