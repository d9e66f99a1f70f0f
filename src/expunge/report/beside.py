"""Published beside measured: values, gaps and effects, each with its test or its direction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from expunge.published import Difference, Published, differences
from expunge.report.aggregate import Group, Level, Scenario, Summary, mean_over, summarise
from expunge.report.measures import CORE
from expunge.report.published import elsewhere, published_of, sources
from expunge.report.wording import ORIGINAL, RETRAIN
from expunge.statistics.comparison import (
    SEEDS,
    Compared,
    Sign,
    Stated,
    compare,
    direction,
    stated_difference,
)
from expunge.statistics.intervals import Interval, Moments, difference

GAP = "gap"
_CORE = tuple(measure.key for measure in CORE)
_REFERENCES = (RETRAIN, ORIGINAL)
_Place = tuple[str, str, str, float]
"""Scenario, method, pruner and sparsity."""
RTE = "rte_s"
PAPER = "paper"
"""The scale of a recipe that is the published one."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """A published value, what was measured in its place, and what may be said of the two."""

    cell: Published
    metric: str
    """A metric, `rte_s`, or `gap` for the mean gap to Retrain."""
    level: Level
    stated: Stated
    ours: Mapping[int, float]
    """By seed."""
    summary: Summary
    """The same over seeds."""
    compared: Compared | None = None
    """Welch's test; None outside the published setting and for what cannot be tested."""
    effect: Effect | None = None
    """Against the reference of the same source."""
    gap: Gap | None = None


@dataclass(frozen=True)
class Gap:
    """A gap to Retrain, by its two definitions."""

    published: float
    """The difference of the published means."""
    of_means: float
    """The difference of our means."""
    per_seed: float
    """The mean of the differences at each of our seeds."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A published difference of two cells, and the measured one."""

    source: str
    kind: str
    """`method` against method, `sparsity` against dense, or `reference` (Retrain, the original)."""
    metric: str
    first: tuple[str, Level]
    second: tuple[str, Level]
    published: Interval
    ours: Interval | None

    @property
    def there(self) -> bool:
        """Whether there is a published effect: its own interval excludes zero."""
        return not self.published.holds_zero

    @property
    def sign(self) -> Sign:
        """Whether ours goes the same way."""
        return direction(self.published, self.ours)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """All that is published of a scenario, beside what was measured."""

    scenario: Scenario
    values: tuple[Value, ...]
    effects: tuple[Effect, ...]
    """Only those that are published: others have no direction to compare."""
    elsewhere: tuple[Difference, ...]
    """In which settings this is not the published experiment."""
    scale: str
    """Of the recipe; `paper` if it has only one."""
    reconfigured: tuple[tuple[str, Difference], ...]
    """Methods with other settings of their own than published."""
    unmeasured: tuple[tuple[str, Level], ...]
    """Methods and levels that are published and were not measured."""

    @property
    def cells(self) -> tuple[Published, ...]:
        """The published cells, each once."""
        found = {value.cell.key: value.cell for value in self.values}
        return tuple(found.values())


def beside(scenarios: Sequence[Scenario], results: Mapping[str, Any]) -> dict[str, Beside]:
    """By scenario, what is published of it beside what was measured, where anything is published.

    Values at the published setting are tested as one family over the whole document.
    """
    recipe = results.get("recipe")
    scale = str(recipe.get("scale", PAPER)) if isinstance(recipe, Mapping) else PAPER
    made = _made(results)
    found = {}
    for scenario in scenarios:
        cells = published_of(scenario.name, results["settings"])
        if not cells:
            continue
        order = sources(cells)
        measured = sorted(
            (cell for cell in cells if _group(scenario, cell) is not None),
            key=lambda cell: (order.index(cell.source), _level(cell)),
        )
        values = [value for cell in measured for value in _values(scenario, cell, measured)]
        found[scenario.name] = Beside(
            scenario=scenario,
            values=tuple(values),
            effects=tuple(each for each in _effects(scenario, measured) if each.there),
            elsewhere=tuple(elsewhere(cells, results["settings"])),
            scale=scale,
            reconfigured=tuple(
                (cell.method, difference)
                for cell in measured
                for difference in _reconfigured(cell, made)
            ),
            unmeasured=tuple(
                dict.fromkeys((cell.method, _level(cell)) for cell in cells if cell not in measured)
            ),
        )
    return _tested(found, results["settings"], made)


def _tested(
    found: dict[str, Beside], settings: Mapping[str, Any], made: Mapping[_Place, Any]
) -> dict[str, Beside]:
    """The same with Welch's test of every value that has the published setting."""
    family = {
        (name, index): (published, [*value.ours.values()])
        for name, each in found.items()
        for index, value in enumerate(each.values)
        if each.scale == PAPER and (published := _testable(value, settings, made)) is not None
    }
    tests = dict(zip(family, compare([*family.values()]), strict=True))
    return {
        name: replace(
            each,
            values=tuple(
                replace(value, compared=tests.get((name, index)))
                for index, value in enumerate(each.values)
            ),
        )
        for name, each in found.items()
    }


def _testable(
    value: Value, settings: Mapping[str, Any], made: Mapping[_Place, Any]
) -> Moments | None:
    """What a value of the published setting is tested against; None for all that is not tested."""
    cell = value.cell
    if value.metric in (GAP, RTE) or cell.how != "read" or len(value.ours) < SEEDS:
        return None
    if not cell.setting or elsewhere([cell], settings) or _reconfigured(cell, made):
        return None
    return value.stated.moments


def _made(results: Mapping[str, Any]) -> dict[_Place, Mapping[str, Any]]:
    """By scenario, method and level: a cell, whose settings are those of every seed."""
    return {
        (cell["scenario"], cell["method"], cell["pruner"], float(cell["sparsity"])): cell
        for cell in results["cells"]
    }


def _reconfigured(cell: Published, made: Mapping[_Place, Any]) -> list[Difference]:
    """Which settings of its method are not as published, or were chosen otherwise."""
    ours = made[cell.scenario, cell.method, cell.pruner, cell.sparsity]
    found = differences(cell.config, ours["config"])
    if cell.chosen_by is not None and ours.get("chosen_by") != cell.chosen_by:
        found.append(Difference("chosen by", cell.chosen_by, ours.get("chosen_by") or "hand"))
    return found


def _values(scenario: Scenario, cell: Published, cells: Sequence[Published]) -> Iterator[Value]:
    """The values of a cell that were measured, and its mean gap."""
    reference = _reference(cell, cells)
    gaps = {}
    for metric in cell.values:
        ours = _by_seed(scenario, cell, metric)
        summary = summarise(ours.values())
        if summary is None:
            continue
        gap = None if reference is None else _gap(scenario, cell, reference, metric)
        if gap is not None:
            gaps[metric] = gap
        effect = None
        if reference is not None and metric in reference.values and metric != RTE:
            effect = _effect(scenario, "reference", metric, cell, reference)
        yield Value(
            cell=cell,
            metric=metric,
            level=_level(cell),
            stated=_stated(cell, metric),
            ours=ours,
            summary=summary,
            effect=effect,
            gap=gap,
        )
    published, ours = _published_gap(cell, reference), _by_seed(scenario, cell, GAP)
    summary = summarise(ours.values())
    if published is not None and summary is not None and len(gaps) == len(_CORE):
        of_means = math.fsum(gap.of_means for gap in gaps.values()) / len(gaps)
        yield Value(
            cell=cell,
            metric=GAP,
            level=_level(cell),
            stated=published,
            ours=ours,
            summary=summary,
            gap=Gap(published.mean, of_means, summary.mean),
        )


def _gap(scenario: Scenario, cell: Published, reference: Published, metric: str) -> Gap | None:
    """The gap of one metric to Retrain; None where it is not compared, or not measured."""
    if reference.method != RETRAIN or metric not in _CORE or metric not in reference.values:
        return None
    one, other = (_by_seed(scenario, each, metric) for each in (cell, reference))
    per_seed = _by_seed(scenario, cell, f"gap.{metric}")
    if not (one and other and per_seed):
        return None
    published = abs(cell.values[metric][0] - reference.values[metric][0])
    return Gap(published, abs(mean_over(one) - mean_over(other)), mean_over(per_seed))


def _published_gap(cell: Published, reference: Published | None) -> Stated | None:
    """The mean over the four measures of the published gaps; None where one is not published."""
    if reference is None or reference.method != RETRAIN:
        return None
    if any(metric not in each.values for each in (cell, reference) for metric in _CORE):
        return None
    gaps = [abs(cell.values[metric][0] - reference.values[metric][0]) for metric in _CORE]
    errors = [each.error.get(metric, 0.0) for each in (cell, reference) for metric in _CORE]
    return Stated(math.fsum(gaps) / len(gaps), error=math.fsum(errors) / len(gaps))


def _effects(scenario: Scenario, cells: Sequence[Published]) -> Iterator[Effect]:
    """Every difference of two cells of one source: methods, dense and sparse, and references."""
    known = [cell for cell in cells if cell.how != "unverified"]
    for one, other in combinations(known, 2):
        if one.source != other.source:
            continue
        if _level(one) == _level(other) and one.method != other.method:
            first, second = sorted((one, other), key=lambda cell: cell.method in _REFERENCES)
            kind = "reference" if second.method in _REFERENCES else "method"
        elif one.method == other.method and one.sparsity != 0 == other.sparsity:
            first, second, kind = one, other, "sparsity"
        elif one.method == other.method and one.sparsity == 0 != other.sparsity:
            first, second, kind = other, one, "sparsity"
        else:
            continue
        for metric in first.values:
            if metric in second.values and metric != RTE:
                yield _effect(scenario, kind, metric, first, second)
        gaps = [_published_gap(each, _reference(each, cells)) for each in (first, second)]
        if gaps[0] is not None and gaps[1] is not None:
            yield _effect(scenario, kind, GAP, first, second, stated_difference(gaps[0], gaps[1]))


def _effect(
    scenario: Scenario,
    kind: str,
    metric: str,
    first: Published,
    second: Published,
    published: Interval | None = None,
) -> Effect:
    if published is None:
        published = stated_difference(_stated(first, metric), _stated(second, metric))
    return Effect(
        source=first.source,
        kind=kind,
        metric=metric,
        first=(first.method, _level(first)),
        second=(second.method, _level(second)),
        published=published,
        ours=difference(*(_by_seed(scenario, each, metric) for each in (first, second))),
    )


def _reference(cell: Published, cells: Sequence[Published]) -> Published | None:
    """What the same source compares a cell with: Retrain at its level, else the original."""
    if cell.method in _REFERENCES or cell.how == "unverified":
        return None
    for name in _REFERENCES:
        for each in cells:
            if (each.source, each.method, _level(each)) == (cell.source, name, _level(cell)):
                return each
    return None


def _stated(cell: Published, metric: str) -> Stated:
    mean = cell.values[metric][0]
    return Stated(mean, cell.deviation(metric), cell.n, cell.error.get(metric, 0.0))


def _level(cell: Published) -> Level:
    return Level(cell.sparsity, cell.pruner)


def _group(scenario: Scenario, cell: Published) -> Group | None:
    return scenario.get(cell.method, _level(cell))


def _by_seed(scenario: Scenario, cell: Published, metric: str) -> Mapping[int, float]:
    """What was measured in the place of a published cell; empty where nothing was."""
    group = _group(scenario, cell)
    return {} if group is None else group.by_seed.get(metric, {})
