"""Differences between methods on the same seeds, with Retrain by another seed as the floor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from expunge.report.aggregate import Level, Scenario
from expunge.report.text import TextTable
from expunge.report.wording import (
    MISSING,
    ORIGINAL,
    RETRAIN_AGAIN,
    scenario_label,
    with_bounds,
)
from expunge.statistics.intervals import Interval, paired_difference

GAP = "gap"

NOTE = (
    "Mean gap of the first minus that of the second, in points: mean over the seeds that both "
    "have, and its 95 % interval over them, paired. Below 0 the first is nearer to Retrain. "
    "Descriptive: the intervals are not corrected for their number, and only a claim that the "
    "recipe named beforehand has a verdict."
)
FLOOR_NOTE = (
    "Retrain by another seed is the floor: a method whose gap is not told from its gap is as near "
    "to Retrain as Retrain is to itself."
)


@dataclass(frozen=True)
class Paired:
    """The difference of two methods' mean gaps at one level."""

    level: Level
    first: str
    second: str
    interval: Interval

    def to_json(self, scenario: str) -> dict[str, Any]:
        """As a program reads it; bounds are null where there are none."""
        low, high = self.interval.bounds
        return {
            "scenario": scenario,
            "pruner": self.level.pruner,
            "sparsity": self.level.sparsity,
            "measure": GAP,
            "first": self.first,
            "second": self.second,
            "mean": self.interval.estimate,
            "low": low,
            "high": high,
            "n": self.interval.n,
        }


def paired_of(scenario: Scenario) -> list[Paired]:
    """Every pair with two or more common seeds, of methods, the original and the floor."""
    found = []
    for first, second in _pairs(scenario):
        for level in scenario.levels:
            one, other = (_gaps(scenario, method, level) for method in (first, second))
            interval = paired_difference(one, other)
            if interval is not None:
                found.append(Paired(level, first, second, interval))
    return found


def paired_tables(scenarios: Iterable[Scenario]) -> list[TextTable]:
    """The tables of the scenarios that have a pair."""
    return [table for each in scenarios if (table := paired_table(each)) is not None]


def paired_table(scenario: Scenario) -> TextTable | None:
    """The same as a table, a column for each level; None where there is no pair."""
    found = {(each.first, each.second, each.level): each.interval for each in paired_of(scenario)}
    if not found:
        return None
    pairs = dict.fromkeys((first, second) for first, second, _ in found)
    notes = [NOTE]
    if any(RETRAIN_AGAIN in pair for pair in pairs):
        notes.append(FLOOR_NOTE)
    return TextTable(
        title=f"{scenario_label(scenario.name)}: paired differences between methods",
        header=["First minus second", *(level.label for level in scenario.levels)],
        rows=[
            [
                f"{scenario.title(first)} − {scenario.title(second)}",
                *(_text(found.get((first, second, level))) for level in scenario.levels),
            ]
            for first, second in pairs
        ],
        notes=notes,
    )


def _pairs(scenario: Scenario) -> Iterator[tuple[str, str]]:
    against = [name for name in (ORIGINAL, RETRAIN_AGAIN) if name in scenario.rows]
    yield from combinations((*scenario.methods, *against), 2)


def _gaps(scenario: Scenario, method: str, level: Level) -> dict[int, float]:
    group = scenario.get(method, level)
    return {} if group is None else dict(group.by_seed.get(GAP, {}))


def _text(interval: Interval | None) -> str:
    if interval is None:
        return MISSING
    return with_bounds(interval, f", n = {interval.n}")
