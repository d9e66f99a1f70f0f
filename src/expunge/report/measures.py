"""What every number in a report is, and what a good value of it looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expunge.metrics import COMPARED, DEFAULT_METRICS, METRICS, get_metric
from expunge.metrics.metric import Metric
from expunge.report.wording import printable


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One quantity of the report."""

    key: str
    """Its name in a results document."""
    short: str
    """Its name in a table."""
    name: str
    """Its name in words."""
    meaning: str
    """What it measures."""
    good: str
    """Which value to wish for."""
    unit: str = "percent"
    """The unit of its values, as in `Metric.unit`; empty if unknown."""


def _of(metric: Metric) -> Measure:
    return Measure(
        key=metric.name,
        short=metric.short,
        name=metric.title,
        meaning=metric.summary,
        good=metric.good,
        unit=metric.unit,
    )


CORE = tuple(_of(get_metric(name)) for name in DEFAULT_METRICS if name in COMPARED)
"""The four measures whose gaps to Retrain make up the mean gap."""

AVG_GAP = Measure(
    key="avg",
    short="Mean gap",
    name="mean gap to Retrain",
    meaning="The absolute difference to Retrain at the same sparsity and seed, averaged over UA, "
    "RA, TA and MIA-efficacy, and then over seeds. Single gaps stand in the table under their "
    "values.",
    good="0: the model cannot be told from one that never saw the forget set by these four.",
)
RTE = Measure(
    key="rte_s",
    short="RTE",
    name="run-time efficiency",
    meaning="Wall-clock time of unlearning with all that the method prepares, without evaluation.",
    good="far below Retrain's, but only for a method whose gap is small: to do nothing is fastest.",
)

FURTHER = tuple(
    _of(metric)
    for metric in METRICS
    if metric.name in DEFAULT_METRICS and not (metric.compared or metric.detailed)
)
"""Measures outside the mean gap."""

AVG_GAP_DENSE = Measure(
    key="avg_dense",
    short="Mean gap to dense Retrain",
    name="mean gap to dense Retrain",
    meaning="As the mean gap, but against the dense Retrain of the same seed also for sparse "
    "models, so that what pruning itself costs is counted.",
    good="0. Where it is much larger than the mean gap, the sparse reference is the weaker one.",
)
SPARSITY = Measure(
    key="sparsity_at",
    short="Sparsity, measured",
    name="sparsity after unlearning",
    meaning="The share of prunable weights that are zero in the unlearned model.",
    good="no lower than before unlearning: pruned weights stay zero.",
)

DETAILS = frozenset(metric.name for metric in METRICS if metric.detailed)
"""Measures with several numbers, which have their own tables and figures."""


def glossary(measured: Sequence[Measure], *, gaps: bool) -> tuple[Measure, ...]:
    """What a report explains: what it measures, and `gaps` if it has some.

    Measures of other packages, of which only the title is known, are left out.
    """
    core = [measure for measure in measured if measure in CORE]
    others = [measure for measure in measured if measure not in CORE and measure.meaning]
    gap, dense = ([AVG_GAP], [AVG_GAP_DENSE]) if gaps else ([], [])
    return (*core, *gap, RTE, *others, *dense, SPARSITY)


def further(keys: frozenset[str], declared: Mapping[str, Mapping[str, Any]]) -> tuple[Measure, ...]:
    """The measures outside the main table among `keys`, those that are not known here last.

    Of these, `declared` is what a document says: their titles and units.
    """
    core = {measure.key for measure in CORE}
    described = [_of(metric) for metric in METRICS if metric.name in keys - core]
    known = core | {measure.key for measure in described}
    return (*described, *(_declared(key, declared.get(key, {})) for key in sorted(keys - known)))


def measures_of(
    keys: Sequence[str], declared: Mapping[str, Mapping[str, Any]]
) -> tuple[Measure, ...]:
    """The measures of the keys, in their order, known here or as a document declares them."""
    known = {metric.name: _of(metric) for metric in METRICS}
    return tuple(known.get(key) or _declared(key, declared.get(key, {})) for key in keys)


def measure_label(measure: str, declared: Mapping[str, Mapping[str, Any]]) -> str:
    """What a claim's measure is called in print.

    >>> measure_label("gap", {}), measure_label("gap.ua", {}), measure_label("ta", {})
    ('mean gap', 'gap of UA', 'TA')
    """
    name, _, key = measure.partition(".")
    words = {"gap": "gap", "gap_dense": "gap to dense Retrain"}
    if name in words:
        of = f" of {measures_of((key,), declared)[0].short}" if key else ""
        return f"{words[name]}{of}" if key else f"mean {words[name]}"
    if measure == "rte_s":
        return "RTE, seconds"
    return measures_of((measure,), declared)[0].short


def _declared(key: str, said: Mapping[str, Any]) -> Measure:
    """A measure of another package, as the document describes it."""
    title, unit = printable(said.get("title", key)), said.get("unit", "")
    short = title if unit in ("percent", "fraction", "") else f"{title}, {printable(unit)}"
    return Measure(key=key, short=short, name=title, meaning="", good="", unit=unit)
