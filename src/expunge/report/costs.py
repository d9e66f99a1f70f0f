"""What each difference between the published definition and ours costs, computed from results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expunge.report.aggregate import Group, Scenario, aggregate, mean_over
from expunge.report.measures import CORE, measures_of
from expunge.report.wording import RETRAIN, scenario_label
from expunge.statistics.intervals import Interval, difference, over_seeds
from expunge.statistics.jackknife import jackknife

GAP, GAP_DENSE = "gap", "gap_dense"
ORACLE = "oracle"


@dataclass(frozen=True)
class Cost:
    """What a difference amounts to in one place, in points."""

    what: str
    mean: float
    interval: Interval | None
    """None where there is one seed."""
    n: int
    """Seeds."""

    def to_json(self) -> dict[str, Any]:
        """As a program reads it."""
        low, high = (None, None) if self.interval is None else self.interval.bounds
        return {"what": self.what, "mean": self.mean, "low": low, "high": high, "n": self.n}


def between(
    document: Mapping[str, Any], published: Mapping[str, Any], which: str
) -> Iterator[Cost]:
    """The difference in mean gap of every cell that two documents have; `which` names them."""
    theirs = {scenario.name: scenario for scenario in aggregate(published)}
    for scenario in aggregate(document):
        for group in _groups(scenario):
            there = theirs.get(scenario.name)
            other = None if there is None else there.get(group.method, group.level)
            if other is not None and GAP in other.by_seed and GAP in group.by_seed:
                yield _cost(
                    f"{_place(scenario, group)} ({which})", group.by_seed[GAP], other.by_seed[GAP]
                )


def of_choice(results: Mapping[str, Any] | None, scenarios: Sequence[Scenario]) -> Iterator[Cost]:
    """Where one method has labels that were chosen by the gap and otherwise: their difference."""
    chosen = (
        {}
        if results is None
        else {
            (cell["scenario"], cell["method"]): (
                cell.get("of") or cell["method"],
                cell["chosen_by"],
            )
            for cell in results["cells"]
            if cell.get("chosen_by") is not None
        }
    )
    for scenario in scenarios:
        for group in _groups(scenario):
            name, how = chosen.get((scenario.name, group.method), ("", None))
            if how == ORACLE or how is None:
                continue
            for best in _groups(scenario):
                if (
                    best.level == group.level
                    and GAP in best.by_seed
                    and GAP in group.by_seed
                    and (chosen.get((scenario.name, best.method)) == (name, ORACLE))
                ):
                    what = f"{_place(scenario, group)} minus {scenario.title(best.method)}"
                    yield _cost(what, group.by_seed[GAP], best.by_seed[GAP])


def of_draws(scenario: Scenario) -> Iterator[Cost]:
    """How far one draw is from the mean of many, over the methods of a scenario; by seed."""
    keys = dict.fromkeys(key for group in scenario.groups.values() for key in group.draws)
    for key in keys:
        by_seed: dict[int, list[float]] = {}
        for group in scenario.groups.values():
            for seed, draws in group.draws.get(key, {}).items():
                by_seed.setdefault(seed, []).append(draws["deviation"])
        (measure,) = measures_of((key,), scenario.declared)
        means = {seed: math.fsum(each) / len(each) for seed, each in by_seed.items()}
        yield _cost(
            f"{scenario_label(scenario.name)}: deviation of one draw of {measure.short}, mean over "
            "all models",
            means,
        )
    one_draw = "mia_efficacy_one_draw"
    for group in _groups(scenario):
        if one_draw in group.by_seed and "mia_efficacy" in group.by_seed:
            what = f"{_place(scenario, group)}: MIA-efficacy of one draw minus the mean"
            yield _cost(what, group.by_seed[one_draw], group.by_seed["mia_efficacy"])


def of_reference(scenarios: Sequence[Scenario]) -> Iterator[Cost]:
    """By how much the gap of a sparse model to dense Retrain exceeds that to sparse Retrain."""
    for scenario in scenarios:
        for group in _groups(scenario):
            if group.level.sparsity and GAP in group.by_seed and GAP_DENSE in group.by_seed:
                what = _place(scenario, group)
                yield _cost(what, group.by_seed[GAP_DENSE], group.by_seed[GAP])


def of_definition(scenarios: Sequence[Scenario]) -> Iterator[Cost]:
    """By how much the mean of the gaps at each seed exceeds the gap of the means."""
    for scenario in scenarios:
        for group in _groups(scenario):
            rows = _signed_gaps(scenario, group)
            if len(rows) > 1:
                found = jackknife(rows, _excess)
                yield Cost(_place(scenario, group), found.estimate, found, found.n)


def _signed_gaps(scenario: Scenario, group: Group) -> list[tuple[float, ...]]:
    """By seed: the differences from Retrain in the measures that a gap is over."""
    retrain = scenario.get(RETRAIN, group.level)
    keys = [
        measure.key
        for measure in CORE
        if retrain is not None
        and measure.key in retrain.by_seed
        and f"{GAP}.{measure.key}" in group.by_seed
    ]
    if retrain is None or not keys:
        return []
    seeds = [
        seed
        for seed in group.by_seed.get(GAP, {})
        if all(seed in each.by_seed[key] for key in keys for each in (group, retrain))
    ]
    return [
        tuple(group.by_seed[key][seed] - retrain.by_seed[key][seed] for key in keys)
        for seed in sorted(seeds)
    ]


def _excess(rows: Sequence[tuple[float, ...]]) -> float:
    """By how much the mean of the gaps exceeds the gap of the means, over all measures."""
    n, columns = len(rows), [*zip(*rows, strict=True)]
    each = [(math.fsum(map(abs, c)) - abs(math.fsum(c))) / n for c in columns]
    return math.fsum(each) / len(each)


def _cost(what: str, one: Mapping[int, float], other: Mapping[int, float] | None = None) -> Cost:
    """One minus the other, or one alone, over seeds."""
    if other is None:
        found, mean, n = over_seeds(one), mean_over(one), len(one)
    else:
        found, common = difference(one, other), one.keys() & other.keys()
        # Too few for an interval: seeds that only one side has would count as what it costs.
        sides = [{seed: each[seed] for seed in common or each} for each in (one, other)]
        mean, n = mean_over(sides[0]) - mean_over(sides[1]), min(map(len, sides))
    if found is not None:
        return Cost(what, found.estimate, found, found.n)
    return Cost(what, mean, None, n)


def _groups(scenario: Scenario) -> Iterator[Group]:
    """The methods of a scenario, level by level, without references."""
    for level in scenario.levels:
        for method in scenario.methods:
            group = scenario.get(method, level)
            if group is not None:
                yield group


def _place(scenario: Scenario, group: Group) -> str:
    return f"{scenario_label(scenario.name)}, {scenario.title(group.method)}, {group.level.label}"
