"""The leaderboard: what a folder of results says of every method, by its mean gap to Retrain."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expunge.errors import DataError
from expunge.report.aggregate import Group, Level, Scenario, aggregate
from expunge.report.environments import made_by
from expunge.report.results import load_results
from expunge.report.study import study_of
from expunge.report.tables import time_share
from expunge.report.wording import (
    ORIGINAL,
    RETRAIN_AGAIN,
    flat,
)
from expunge.statistics.intervals import Interval, difference, over_seeds

BENCHMARKS = "benchmarks"
"""The folder beside those of recipes, whose files are of the project's own speed and soundness."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A method with its settings, over seeds."""

    label: str
    config: tuple[str, ...]
    """Its settings; several where seeds have their own."""
    chosen_by: str | None
    """What chose them; None: they are published, or were set by hand."""
    n: int
    """Seeds with a gap."""
    of: int
    """Seeds that were run."""
    gap: float
    interval: Interval | None
    """Of the gap, over seeds; None for one seed."""
    time: float | None
    """Its run time as a share of Retrain's; None where either is missing."""
    to_next: Interval | None
    """The next method's gap minus its own, paired over seeds; None for the last, or one seed."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """The methods of one result at one level of one scenario, the lowest mean gap first."""

    recipe: str
    scale: str | None
    """The scale of the recipe, where the document names one."""
    file: str
    title: str
    scenario: str
    level: Level
    standings: tuple[Standing, ...]
    without: tuple[str, ...]
    """The methods that have no gap, each with the reason."""
    floor: Interval | None
    """The mean gap of Retrain by another seed; None where it was not run."""
    hardware: tuple[str, ...]
    commits: tuple[str, ...]
    differs: tuple[str, ...]
    """The settings that are not those of the recipe as it is now."""


@dataclass(frozen=True)
class Found:
    """A result of a recipe in the folder."""

    recipe: str
    path: Path
    document: Mapping[str, Any]

    @property
    def said(self) -> Mapping[str, Any]:
        """What the document says of its recipe."""
        said = self.document.get("recipe")
        return said if isinstance(said, Mapping) else {}


@dataclass(frozen=True)
class Folder:
    """What a folder of results holds."""

    grids: tuple[Found, ...]
    studies: tuple[Path, ...]
    """Results of studies that rank no methods by a gap, such as the theorem's."""
    unread: tuple[str, ...]
    """A line for each file that could not be read."""


def read_folder(folder: Path) -> Folder:
    """The results in `folder`, as `RECIPE/NAME.json`.

    Raises:
        DataError: it is not a folder, or holds no results.
    """
    if not folder.is_dir():
        raise DataError(f"expected a folder of results, as RECIPE/NAME.json, got {folder}")
    grids, studies, unread = [], [], []
    for path in sorted(folder.glob("*/*.json")):
        if path.parent.name == BENCHMARKS:
            continue
        try:
            if _is_study(path):
                studies.append(path)
            else:
                grids.append(Found(path.parent.name, path, load_results(path)))
        except DataError as error:
            unread.append(str(error))
    if not (grids or studies):
        why = f": {unread[0]}" if unread else ", as RECIPE/NAME.json"
        raise DataError(f"{folder} holds no results that can be read{why}")
    return Folder(tuple(grids), tuple(studies), tuple(unread))


def _is_study(path: Path) -> bool:
    """Whether a file is a document of a study without cells; a damaged one is not."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and study_of(document) is not None


def boards(found: Found, differs: Sequence[str] = ()) -> Iterator[Board]:
    """One board for each scenario and level of a result."""
    document = found.document
    chosen = _chosen_by(document["cells"])
    configs = _configs(document["cells"])
    for scenario in aggregate(document):
        for level in scenario.levels:
            groups = [g for m in (*scenario.methods, ORIGINAL) if (g := scenario.get(m, level))]
            ranked = sorted((g for g in groups if "gap" in g.by_seed), key=lambda g: g.mean("gap"))
            cells = [
                cell
                for cell in document["cells"]
                if (cell["scenario"], _level(cell)) == (scenario.name, level)
            ]
            makers = [
                document["makers"][number] for number in sorted({c["made_by"] for c in cells})
            ]
            again = scenario.get(RETRAIN_AGAIN, level)
            scale = found.said.get("scale")
            yield Board(
                recipe=found.recipe,
                scale=scale if isinstance(scale, str) else None,
                file=f"{found.path.parent.name}/{found.path.name}",
                title=document["title"],
                scenario=scenario.name,
                level=level,
                standings=tuple(
                    _standing(scenario, group, after, configs, chosen)
                    for group, after in zip(ranked, [*ranked, None][1:], strict=True)
                ),
                without=tuple(f"{g.title}: {g.gap_reason}" for g in groups if g not in ranked),
                floor=None if again is None else _mean(again),
                hardware=tuple(dict.fromkeys(made_by(maker) for maker in makers)),
                commits=tuple(
                    dict.fromkeys(str(m["commit"]) for m in makers if m.get("commit") is not None)
                ),
                differs=tuple(differs),
            )


def _standing(
    scenario: Scenario,
    group: Group,
    after: Group | None,
    configs: Mapping[tuple[Any, ...], tuple[str, ...]],
    chosen: Mapping[tuple[Any, ...], str | None],
) -> Standing:
    gaps = group.by_seed["gap"]
    key = (scenario.name, group.level, group.method)
    return Standing(
        label=group.title,
        config=configs[key],
        chosen_by=chosen[key],
        n=len(gaps),
        of=len(group.seeds),
        gap=group.mean("gap"),
        interval=over_seeds(gaps),
        time=time_share(scenario, group),
        to_next=None if after is None else difference(after.by_seed["gap"], gaps),
    )


def _mean(group: Group) -> Interval | None:
    """A group's mean gap; without bounds for one seed."""
    gaps = group.by_seed.get("gap")
    if not gaps:
        return None
    mean = group.mean("gap")
    return over_seeds(gaps) or Interval(mean, float("-inf"), float("inf"), 1)


def _level(cell: Mapping[str, Any]) -> Level:
    return Level(float(cell["sparsity"]), cell["pruner"])


def _key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return (cell["scenario"], _level(cell), cell["method"])


def _configs(cells: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], tuple[str, ...]]:
    found: dict[tuple[Any, ...], dict[str, None]] = {}
    for cell in cells:
        text = ", ".join(f"{name} {value}" for name, value in flat(dict(cell["config"])))
        found.setdefault(_key(cell), {})[text] = None
    return {key: tuple(texts) for key, texts in found.items()}


def _chosen_by(cells: Sequence[Mapping[str, Any]]) -> dict[tuple[Any, ...], str | None]:
    found: dict[tuple[Any, ...], dict[str, None]] = {}
    for cell in cells:
        said = found.setdefault(_key(cell), {})
        if cell.get("chosen_by") is not None:
            said[cell["chosen_by"]] = None
    return {key: ", ".join(said) or None for key, said in found.items()}


def as_json(board: Board) -> dict[str, Any]:
    """A board as JSON values."""
    return {
        "recipe": board.recipe,
        "scale": board.scale,
        "file": board.file,
        "title": board.title,
        "scenario": board.scenario,
        "pruner": board.level.pruner,
        "sparsity": board.level.sparsity,
        "floor": _json(board.floor),
        "hardware": list(board.hardware),
        "commits": list(board.commits),
        "differs": list(board.differs),
        "without": list(board.without),
        "rows": [
            {
                "method": each.label,
                "config": list(each.config),
                "chosen_by": each.chosen_by,
                "n": each.n,
                "seeds": each.of,
                "gap": each.gap,
                "interval": _json(each.interval),
                "time_of_retrain": each.time,
                "next_minus_this": _json(each.to_next),
                "told_from_next": None if each.to_next is None else not each.to_next.holds_zero,
            }
            for each in board.standings
        ],
    }


def _json(found: Interval | None) -> dict[str, Any] | None:
    if found is None:
        return None
    low, high = found.bounds
    return {"estimate": found.estimate, "low": low, "high": high, "n": found.n}
