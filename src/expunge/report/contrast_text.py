"""Two compared results in words: as lines and tables, and as JSON."""

from __future__ import annotations

from typing import Any

from expunge.report.aggregate import mean_over
from expunge.report.contrast import Contrast, Difference
from expunge.report.measures import CORE, measure_label, measures_of
from expunge.report.text import TextTable
from expunge.report.wording import (
    listed,
    number,
    printable,
    scenario_label,
    seconds,
    signed,
)

_SHOWN = (*(measure.key for measure in CORE), "gap", "rte_s")
_NOT_SET = "not set"


def setting_lines(found: Contrast) -> list[str]:
    """What differs in the settings and environments, a line each."""
    if not found.settings:
        return ["Settings and environments are the same."]
    return [
        "Settings that differ, A against B:",
        *(
            f"  {printable(each.name)}: {_shown(each.first)} against {_shown(each.second)}"
            for each in found.settings
        ),
    ]


def _shown(value: str | None) -> str:
    return _NOT_SET if value is None else printable(value)


def difference_tables(found: Contrast) -> list[TextTable]:
    """A table a scenario and level: a row a method and measure of the main table."""
    places = list(dict.fromkeys((each.scenario, each.level) for each in found.differences))
    tables = []
    for scenario, level in places:
        there = [
            each for each in found.differences if (each.scenario, each.level) == (scenario, level)
        ]
        shown = [each for each in there if each.measure in _SHOWN] or there
        notes = _same_note(there)
        if (scenario, level) == places[-1]:
            notes += _notes(found)
        tables.append(
            TextTable(
                title=f"{scenario_label(scenario)}, {level.label}: B minus A",
                header=["Method", "Measure", "A", "B", "B − A", "95 %", "Seeds"],
                rows=[_row(found, each) for each in shown if not each.same],
                notes=notes,
            )
        )
    return tables


def _same_note(there: list[Difference]) -> list[str]:
    """Which methods are the same models with the same values in both."""
    titles = dict.fromkeys(each.title for each in there)
    same = [title for title in titles if all(each.same for each in there if each.title == title)]
    return [f"The same models with the same values in both: {listed(same)}."] if same else []


def _row(found: Contrast, each: Difference) -> list[str]:
    first, second = mean_over(each.first), mean_over(each.second)
    interval = each.interval
    if interval is None:
        bounds = "too few seeds"
    elif not interval.bounded:
        bounds = "both pairs alike" if each.kind == "paired" else "no spread"
    elif interval.flat:
        bounds = f"the same in all {interval.n}"
    else:
        bounds = f"{_change(found, each, interval.low)} to {_change(found, each, interval.high)}"
    return [
        each.title,
        measure_label(each.measure, found.declared).removesuffix(", seconds"),
        _value(found, each, first),
        _value(found, each, second),
        _change(found, each, second - first if interval is None else interval.estimate),
        bounds,
        f"{interval.n} pairs"
        if interval is not None and each.kind == "paired"
        else f"{len(each.first)} and {len(each.second)}",
    ]


def _unit(found: Contrast, each: Difference) -> str:
    if each.measure == "rte_s":
        return "s"
    name, _, key = each.measure.partition(".")
    if name in ("gap", "gap_dense"):
        return measures_of((key,), found.declared)[0].unit if key else "percent"
    return measures_of((each.measure,), found.declared)[0].unit


def _value(found: Contrast, each: Difference, value: float) -> str:
    unit = _unit(found, each)
    return seconds(value) if unit == "s" else number(value, unit)


def _change(found: Contrast, each: Difference, value: float) -> str:
    unit = _unit(found, each)
    if unit == "s":
        return f"{'−' if value < 0 else '+'}{seconds(abs(value))}" if value else seconds(0.0)
    return signed(100 * value) if unit == "fraction" else signed(value)


def _notes(found: Contrast) -> list[str]:
    """What the intervals are, how many there are, and what only one of both has."""
    other = [each for each in found.differences if not each.same]
    bounded = [each.interval for each in other if each.interval and each.interval.bounded]
    apart = [interval for interval in bounded if not interval.holds_zero]
    notes = [
        "Data, network and training are the same, so that seeds pair: intervals are of paired "
        "differences where two or more seeds are in both, else Welch’s."
        if found.paired
        else "Data, network or training differ, so that seeds do not pair: intervals are Welch’s.",
        f"{len(apart)} of {len(bounded)} intervals, of all measures, exclude 0; where nothing "
        "differs, one in twenty does so by chance. Shown are the measures of the main table: "
        "--json has all.",
    ]
    for letter, cells in (("A", found.only_first), ("B", found.only_second)):
        if cells:
            notes.append(f"Only in {letter}: {printable('; '.join(cells))}.")
    return notes


def contrast_json(found: Contrast) -> dict[str, Any]:
    """All of it as JSON values; differences are the second minus the first."""
    return {
        "titles": list(found.titles),
        "settings": [
            {"name": each.name, "first": each.first, "second": each.second}
            for each in found.settings
        ],
        "paired": found.paired,
        "differences": [_as_json(found, each) for each in found.differences],
        "only_first": list(found.only_first),
        "only_second": list(found.only_second),
    }


def _as_json(found: Contrast, each: Difference) -> dict[str, Any]:
    first, second = mean_over(each.first), mean_over(each.second)
    low, high = (None, None) if each.interval is None else each.interval.bounds
    return {
        "scenario": each.scenario,
        "pruner": each.level.pruner,
        "sparsity": each.level.sparsity,
        "method": each.method,
        "measure": each.measure,
        "unit": _unit(found, each),
        "first": {"mean": first, "seeds": sorted(each.first)},
        "second": {"mean": second, "seeds": sorted(each.second)},
        "difference": second - first if each.interval is None else each.interval.estimate,
        "low": low,
        "high": high,
        "kind": each.kind,
        "n": None if each.interval is None else each.interval.n,
        "same_runs": each.same_runs,
    }
