"""The distance of a result from exact retraining."""

import math
from collections.abc import Mapping, Sequence

from expunge.errors import DataError, some
from expunge.metrics import COMPARED

CONVERGED = 1.0
"""Points of RA by which Retrain may be below the model that it was retrained from, and still count
as a reference that has converged."""


def gap(
    metrics: Mapping[str, float | None],
    reference: Mapping[str, float | None],
    compared: Sequence[str] = COMPARED,
) -> dict[str, float]:
    """Absolute differences to the retrained model in points, and `avg`, their mean.

    Args:
        metrics: of the unlearned model; at least the names in `compared`.
        reference: the same for the retrained model.
        compared: the metrics that the gap averages; by default the paper's four, in percent.

    Raises:
        DataError: a metric is missing or not finite, or none is compared.

    >>> retrain = {"ua": 100.0, "mia_efficacy": 100.0, "ra": 100.0, "ta": 94.0}
    >>> gap({"ua": 90.0, "mia_efficacy": 96.0, "ra": 100.0, "ta": 96.0}, retrain)
    {'ua': 10.0, 'mia_efficacy': 4.0, 'ra': 0.0, 'ta': 2.0, 'avg': 4.0}
    """
    if not compared:
        raise DataError("the gap is over at least one metric, got none")
    here = _values("the metrics", metrics, compared)
    there = _values("the reference", reference, compared)
    differences = {name: abs(here[name] - there[name]) for name in compared}
    return differences | {"avg": sum(differences.values()) / len(differences)}


def _values(
    whose: str, metrics: Mapping[str, float | None], compared: Sequence[str]
) -> dict[str, float]:
    """The compared metrics, all there and finite."""
    values = {name: metrics.get(name) for name in compared}
    finite = {name: x for name, x in values.items() if x is not None and math.isfinite(x)}
    lacking = values.keys() - finite.keys()
    if lacking:
        raise DataError(
            f"the gap needs {', '.join(compared)}, but {some(sorted(lacking))} of {whose} is "
            "missing or not finite"
        )
    return finite
