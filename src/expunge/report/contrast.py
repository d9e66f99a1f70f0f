"""Two results against each other: what differs in their settings, then in their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from expunge.errors import DataError, some
from expunge.report.aggregate import Group, Level, Scenario, aggregate
from expunge.report.environments import environments
from expunge.report.wording import RETRAIN, flat
from expunge.statistics.intervals import Interval, difference, welch

Kind = Literal["paired", "welch"]

_SAME_MODELS = ("data", "network", "training")
"""Settings that make the models of one seed the same before anything is unlearned."""

_WORDS = ("title", "claims", "published")
"""Settings that change no number."""

_MAKERS = ("date", "engine", "commit")
"""What is said of environments besides what changes numbers or times."""


@dataclass(frozen=True)
class Setting:
    """One setting that differs; None where a document has none."""

    name: str
    first: str | None
    second: str | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One measure of a cell that both have: the second's mean minus the first's."""

    scenario: str
    level: Level
    method: str
    measure: str
    """As in `Group.by_seed`."""
    first: Mapping[int, float]
    """Values by seed."""
    second: Mapping[int, float]
    interval: Interval | None
    """Of the difference, at 95 %; None where there are too few seeds."""
    kind: Kind | None
    """Paired over the seeds of both, or Welch's; None without an interval."""
    same_runs: bool
    """Whether both hold the same models, so that only measuring can differ."""

    @property
    def same(self) -> bool:
        """Whether both hold the same values of the same models, which says nothing."""
        return self.same_runs and self.first == self.second


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two results documents, compared."""

    titles: tuple[str, str]
    settings: tuple[Setting, ...]
    paired: bool
    """Whether data, network and training are the same, so that seeds pair."""
    differences: tuple[Difference, ...]
    only_first: tuple[str, ...]
    """The cells that only the first has, as scenario, level and method."""
    only_second: tuple[str, ...]
    declared: Mapping[str, Mapping[str, Any]]
    """What the documents say of their metrics."""


def contrast(first: Mapping[str, Any], second: Mapping[str, Any]) -> Contrast:
    """Compare two checked documents cell by cell.

    Raises:
        DataError: they are of other data, or have no scenario, or no cell, in common.
    """
    _check_data(first, second)
    scenarios = [{each.name: each for each in aggregate(one)} for one in (first, second)]
    common = [name for name in scenarios[0] if name in scenarios[1]]
    if not common:
        there = " and ".join(some(list(each)) for each in scenarios)
        raise DataError(f"the two results have no scenario in common, so nothing compares: {there}")
    paired = all(
        name in first["settings"] and first["settings"][name] == second["settings"].get(name)
        for name in _SAME_MODELS
    )
    runs = [_runs(one) for one in (first, second)]
    found = tuple(
        each
        for name in common
        for each in _differences(scenarios[0][name], scenarios[1][name], runs, paired=paired)
    )
    if not found:
        raise DataError(
            f"the two results share the scenario {common[0]!r}, but no method at the same sparsity "
            "with a measure that both have, so nothing compares"
        )
    cells = [dict.fromkeys(_cells(each.values())) for each in scenarios]
    return Contrast(
        titles=(first["title"], second["title"]),
        settings=tuple(_settings(first, second)),
        paired=paired,
        differences=found,
        only_first=tuple(cell for cell in cells[0] if cell not in cells[1]),
        only_second=tuple(cell for cell in cells[1] if cell not in cells[0]),
        declared={**second["metrics"], **first["metrics"]},
    )


def _check_data(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    names = [_data_name(one["settings"].get("data")) for one in (first, second)]
    if names[0] != names[1]:
        raise DataError(
            f"the two results are of other data, {names[0]} and {names[1]}, so nothing compares"
        )


def _data_name(data: object) -> str:
    """What the data is called, wherever it was read from."""
    if not isinstance(data, Mapping):
        return "data not recorded"
    name = data.get("name") or PurePosixPath(str(data.get("source", "not recorded"))).name
    return str(name)


def _settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Setting]:
    facts = [
        {
            **dict(flat({k: v for k, v in one["settings"].items() if k not in _WORDS})),
            **_environment(one["makers"]),
        }
        for one in (first, second)
    ]
    for name in dict.fromkeys([*facts[0], *facts[1]]):
        if facts[0].get(name) != facts[1].get(name):
            yield Setting(name, facts[0].get(name), facts[1].get(name))


def _environment(makers: list[Mapping[str, Any]]) -> dict[str, str]:
    """What documents were made by, a fact a line; several values where environments differ."""
    found: dict[str, dict[str, None]] = {}
    for maker in environments(makers):
        for name, value in flat({k: v for k, v in maker.items() if k not in _MAKERS}):
            found.setdefault(f"environment.{name}", {})[value] = None
    return {name: " / ".join(values) for name, values in found.items()}


def _runs(document: Mapping[str, Any]) -> dict[tuple[str, Level, str], dict[int, str]]:
    found: dict[tuple[str, Level, str], dict[int, str]] = {}
    for cell in document["cells"]:
        key = cell["scenario"], Level(float(cell["sparsity"]), cell["pruner"]), cell["method"]
        found.setdefault(key, {})[cell["seed"]] = cell["run"]
    return found


def _cells(scenarios: Any) -> Iterator[str]:
    for scenario in scenarios:
        for level in scenario.levels:
            for method in scenario.rows:
                if scenario.get(method, level) is not None:
                    yield f"{method} in {scenario.name}, {level.label}"


def _differences(
    first: Scenario,
    second: Scenario,
    runs: list[dict[tuple[str, Level, str], dict[int, str]]],
    *,
    paired: bool,
) -> Iterator[Difference]:
    for level in first.levels:
        for method in first.rows:
            groups = first.get(method, level), second.get(method, level)
            if groups[0] is None or groups[1] is None:
                continue
            ids = [each.get((first.name, level, method)) for each in runs]
            for measure in groups[0].by_seed:
                # Retrain's gap to itself is no measurement.
                itself = method == RETRAIN and measure.partition(".")[0] == "gap"
                if measure in groups[1].by_seed and not itself:
                    yield _difference(
                        first.name,
                        groups[0],
                        groups[1],
                        measure,
                        paired=paired,
                        same_runs=ids[0] == ids[1],
                    )


def _difference(
    scenario: str, first: Group, second: Group, measure: str, *, paired: bool, same_runs: bool
) -> Difference:
    one, other = first.by_seed[measure], second.by_seed[measure]
    pairs = paired and len(one.keys() & other.keys()) > 1
    if pairs:
        found = difference(other, one)
    elif min(len(one), len(other)) > 1:
        found = welch([*other.values()], [*one.values()])
    else:
        found = None
    return Difference(
        scenario=scenario,
        level=first.level,
        method=first.method,
        measure=measure,
        first=one,
        second=other,
        interval=found,
        kind=None if found is None else "paired" if pairs else "welch",
        same_runs=same_runs,
    )
