"""Two results against each other: what differs in their settings, then in their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from expunge.errors import DataError, some
from expunge.report.aggregate import Group, Level, aggregate
from expunge.report.environments import environments
from expunge.report.wording import RETRAIN, flat
from expunge.statistics.intervals import Interval, paired_difference, welch

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
    title: str
    """What tables call the method."""
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
    """The cells that only the first has: method, scenario and level. So is a label that stands for
    another method in the second."""
    only_second: tuple[str, ...]
    declared: Mapping[str, Mapping[str, Any]]
    """What the documents say of their metrics."""


def contrast(first: Mapping[str, Any], second: Mapping[str, Any]) -> Contrast:
    """Compare two checked documents cell by cell.

    Raises:
        DataError: they are of other data, or have no scenario, or no cell, in common.
    """
    _check_data(first, second)
    runs = [_runs(one) for one in (first, second)]
    names = [list(dict.fromkeys(place.scenario for place in each)) for each in runs]
    if not set(names[0]) & set(names[1]):
        there = " and ".join(some(each) for each in names)
        raise DataError(f"the two results have no scenario in common, so nothing compares: {there}")
    paired = all(
        name in first["settings"] and first["settings"][name] == second["settings"].get(name)
        for name in _SAME_MODELS
    )
    groups = [_groups(one) for one in (first, second)]
    found: list[Difference] = []
    for place in runs[0]:
        if place in runs[1]:
            key = place.scenario, place.level, place.label
            same_runs = runs[0][place] == runs[1][place]
            found += _differences(
                place.scenario, groups[0][key], groups[1][key], paired=paired, same_runs=same_runs
            )
    if not found:
        common = next(name for name in names[0] if name in names[1])
        raise DataError(
            f"the two results share the scenario {common!r}, but no method at the same sparsity "
            "with a measure that both have, so nothing compares"
        )
    return Contrast(
        titles=(first["title"], second["title"]),
        settings=tuple(_settings(first, second)),
        paired=paired,
        differences=tuple(found),
        only_first=tuple(str(place) for place in runs[0] if place not in runs[1]),
        only_second=tuple(str(place) for place in runs[1] if place not in runs[0]),
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


@dataclass(frozen=True)
class _Place:
    """Where cells of all seeds stand."""

    scenario: str
    level: Level
    label: str
    method: str
    """What the label stands for."""

    def __str__(self) -> str:
        """As notes name it."""
        name = self.label if self.label == self.method else f"{self.label} ({self.method})"
        return f"{name} in {self.scenario}, {self.level.label}"


def _runs(document: Mapping[str, Any]) -> dict[_Place, dict[int, str]]:
    """The models of a document by place and seed."""
    found: dict[_Place, dict[int, str]] = {}
    for cell in document["cells"]:
        level = Level(float(cell["sparsity"]), cell["pruner"])
        method = cell.get("of") or cell["method"]
        place = _Place(cell["scenario"], level, cell["method"], method)
        found.setdefault(place, {})[cell["seed"]] = cell["run"]
    return found


def _groups(document: Mapping[str, Any]) -> dict[tuple[str, Level, str], Group]:
    return {
        (scenario.name, level, method): group
        for scenario in aggregate(document)
        for (method, level), group in scenario.groups.items()
    }


def _differences(
    scenario: str, first: Group, second: Group, *, paired: bool, same_runs: bool
) -> Iterator[Difference]:
    """Every measure that both groups have."""
    for measure, one in first.by_seed.items():
        # Retrain's gap to itself is no measurement.
        selves = ("gap",) if first.level.sparsity else ("gap", "gap_dense")
        itself = first.method == RETRAIN and measure.partition(".")[0] in selves
        if itself or measure not in second.by_seed:
            continue
        other = second.by_seed[measure]
        pairs = paired_difference(other, one) if paired else None
        found = pairs
        if pairs is None and min(len(one), len(other)) > 1:
            found = welch([*other.values()], [*one.values()])
        yield Difference(
            scenario=scenario,
            level=first.level,
            method=first.method,
            title=first.title,
            measure=measure,
            first=one,
            second=other,
            interval=found,
            kind=None if found is None else "welch" if pairs is None else "paired",
            same_runs=same_runs,
        )
