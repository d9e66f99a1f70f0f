"""Cells over seeds: means, spreads and counts of every measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from expunge.report.environments import made_note
from expunge.report.results import zeros
from expunge.report.wording import REFERENCES, cell_label, level_label, method_label
from expunge.statistics.claims import Claim, claim_from

Shares = tuple[float, ...]
"""Per cent of samples in each bin of true-class probability."""


@dataclass(frozen=True)
class Summary:
    """One measure over seeds."""

    mean: float
    std: float | None
    """Standard deviation with n - 1 in the denominator; None for a single value."""
    n: int


@dataclass(frozen=True, order=True)
class Level:
    """How sparse the model was when unlearning began; dense sorts first."""

    sparsity: float
    pruner: str

    @property
    def label(self) -> str:
        """As tables print it."""
        return level_label(self.pruner, self.sparsity)


@dataclass(frozen=True, kw_only=True)
class Group:
    """All seeds of one method in one scenario at one level."""

    method: str
    """A method's name, or a label of the recipe for it."""
    title: str
    """What tables call it."""
    level: Level
    seeds: tuple[int, ...]
    metrics: Mapping[str, Summary]
    """By key of the measure; a measure that no seed has is left out."""
    by_seed: Mapping[str, Mapping[int, float]]
    """The values that there are, by measure and seed: metrics, `gap`, `gap.ua` and the like,
    `gap_dense`, `rte_s`."""
    reasons: Mapping[str, str]
    """By key of the measure: why a seed has no value, if the document gives a reason."""
    draws: Mapping[str, Mapping[int, Mapping[str, Any]]]
    """By key of the measure and seed: how the draws spread that the value is the mean of."""
    gap: Mapping[str, Summary]
    """To Retrain at the same level and seed; empty without a reference."""
    gap_dense: Mapping[str, Summary]
    """To dense Retrain."""
    gap_notes: tuple[str, ...]
    """What to know of the gap of a seed: how its reference was trained otherwise."""
    gap_reason: str
    """Why a seed has no gap; empty if all have one."""
    failed: Mapping[int, str]
    """By seed: why the cell holds no numbers, where it holds none."""
    rte_s: Summary | None
    """Seconds."""
    sparsity_measured: Summary | None
    """Share of zeros, 0 to 1."""
    attacks: Mapping[str, Mapping[str, Summary]]
    """By name of the membership attack and key of the measure."""
    by_group: Mapping[str, Mapping[str, float | None]]
    """By group of test samples and class: the mean accuracy in percent; None without samples."""
    confidence: Mapping[tuple[str, str], Shares]
    """By ("before" or "after", "forget", "retain" or "test"): the mean distribution."""

    def mean(self, measure: str) -> float:
        """The mean over seeds of a measure that there is."""
        return mean_over(self.by_seed[measure])

    @property
    def measured(self) -> frozenset[int]:
        """The seeds that have any number."""
        return frozenset(seed for seed in self.seeds if seed not in self.failed)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """All that was measured for one way of choosing the forget set."""

    name: str
    levels: tuple[Level, ...]
    methods: tuple[str, ...]
    """Without the two references, in the order of the document."""
    groups: Mapping[tuple[str, Level], Group]
    declared: Mapping[str, Mapping[str, Any]]
    """By key of the measure: the title and unit that the document gives it."""
    made: str
    """Which rows were made by which environment; empty if there was only one."""
    claims: tuple[Claim, ...]
    """The claims about it that the recipe names."""

    @property
    def rows(self) -> tuple[str, ...]:
        """The references that are there, then the methods."""
        there = {method for method, _ in self.groups}
        return (*(name for name in REFERENCES if name in there), *self.methods)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Every seed of any cell, ascending."""
        return tuple(sorted({seed for group in self.groups.values() for seed in group.seeds}))

    @property
    def failed(self) -> tuple[Group, ...]:
        """The groups of which a seed holds no numbers, level by level."""
        there = (self.get(method, level) for level in self.levels for method in self.rows)
        return tuple(group for group in there if group is not None and group.failed)

    def title(self, method: str) -> str:
        """What tables call a method."""
        titles = {group.method: group.title for group in self.groups.values()}
        return titles.get(method) or method_label(method)

    def get(self, method: str, level: Level) -> Group | None:
        """The seeds of a method at a level, or None where it was not run."""
        return self.groups.get((method, level))


def mean_over(values: Mapping[int, float]) -> float:
    """The mean of one or more values by seed."""
    return math.fsum(values.values()) / len(values)


def summarise(values: Iterable[float | None]) -> Summary | None:
    """Mean, spread and count of the values that are there; None if there are none.

    >>> summarise([1.0, 3.0, None])
    Summary(mean=2.0, std=1.4142135623730951, n=2)
    >>> summarise([4.0])
    Summary(mean=4.0, std=None, n=1)
    """
    known = [float(value) for value in values if value is not None]
    if not known:
        return None
    n = len(known)
    # fsum: the order of the cells must not show in the last digit.
    mean = math.fsum(known) / n
    if n < 2:
        return Summary(mean, None, n)
    variance = math.fsum((value - mean) ** 2 for value in known) / (n - 1)
    return Summary(mean, math.sqrt(variance), n)


def aggregate(results: Mapping[str, Any]) -> tuple[Scenario, ...]:
    """The scenarios of a results document, in its order, with all seeds put together."""
    cells: dict[str, dict[tuple[str, Level], list[Mapping[str, Any]]]] = {}
    for cell in results["cells"]:
        key = (cell["method"], Level(float(cell["sparsity"]), cell["pruner"]))
        cells.setdefault(cell["scenario"], {}).setdefault(key, []).append(cell)
    claims = [claim_from(claim) for claim in results["settings"].get("claims", ())]
    return tuple(
        Scenario(
            name=name,
            levels=tuple(sorted({level for _, level in groups})),
            methods=tuple(
                dict.fromkeys(method for method, _ in groups if method not in REFERENCES)
            ),
            groups={
                (method, level): _group(method, level, of) for (method, level), of in groups.items()
            },
            declared=results["metrics"],
            claims=tuple(claim for claim in claims if claim.scenario == name),
            made=made_note([cell for of in groups.values() for cell in of], results["makers"]),
        )
        for name, groups in cells.items()
    )


def _group(method: str, level: Level, cells: Sequence[Mapping[str, Any]]) -> Group:
    reasons = dict.fromkeys(
        cell.get("gap_reason") or "no reason is recorded" for cell in cells if cell["gap"] is None
    )
    return Group(
        method=method,
        title=cell_label(cells[0]),
        level=level,
        seeds=tuple(sorted(cell["seed"] for cell in cells)),
        metrics=_summaries([cell["metrics"] for cell in cells]),
        by_seed=_by_seed(cells),
        reasons=_reasons([cell.get("reasons") or {} for cell in cells]),
        draws=_draws(cells),
        gap=_summaries([cell["gap"] or {} for cell in cells]),
        gap_dense=_summaries([cell.get("gap_dense") or {} for cell in cells]),
        gap_notes=tuple(
            dict.fromkeys(note for cell in cells if (note := cell.get("gap_note")) is not None)
        ),
        gap_reason="; ".join(reasons),
        failed={cell["seed"]: cell["failed"] for cell in cells if cell.get("failed")},
        rte_s=summarise(cell["rte_s"] for cell in cells),
        sparsity_measured=summarise(zeros(cell) for cell in cells),
        attacks=_attacks([cell.get("attacks") or {} for cell in cells]),
        by_group=_by_group([each for cell in cells if (each := cell.get("group_accuracy"))]),
        confidence=_confidence([cell["confidence"] for cell in cells if cell.get("confidence")]),
    )


def _summaries(rows: Sequence[Mapping[str, float | None]]) -> dict[str, Summary]:
    keys = dict.fromkeys(key for row in rows for key in row)
    summaries = ((key, summarise(row.get(key) for row in rows)) for key in keys)
    return {key: summary for key, summary in summaries if summary is not None}


def _reasons(cells: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The different reasons of all seeds, by measure."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        for key, reason in cell.items():
            found.setdefault(key, {})[reason] = None
    return {key: "; ".join(reasons) for key, reasons in found.items()}


def _by_seed(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for cell in cells:
        values = {**cell["metrics"], "rte_s": cell["rte_s"]}
        for name in ("gap", "gap_dense"):
            gaps = cell.get(name) or {}
            values |= {f"{name}.{key}": value for key, value in gaps.items() if key != "avg"}
            values[name] = gaps.get("avg")
        for key, value in values.items():
            if value is not None:
                found.setdefault(key, {})[cell["seed"]] = float(value)
    return found


def _draws(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, Mapping[str, Any]]]:
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for cell in sorted(cells, key=lambda cell: int(cell["seed"])):
        for key, draws in (cell.get("draws") or {}).items():
            found.setdefault(key, {})[cell["seed"]] = draws
    return found


def _attacks(
    cells: Sequence[Mapping[str, Mapping[str, float | None]]],
) -> dict[str, dict[str, Summary]]:
    names = dict.fromkeys(name for cell in cells for name in cell)
    return {name: _summaries([cell.get(name, {}) for cell in cells]) for name in names}


def _by_group(
    cells: Sequence[Mapping[str, Mapping[str, float | None]]],
) -> dict[str, dict[str, float | None]]:
    """The mean over seeds of every group and class."""
    found: dict[str, dict[str, float | None]] = {}
    for group in dict.fromkeys(name for cell in cells for name in cell):
        rows = [cell.get(group, {}) for cell in cells]
        means = {name: summarise(row.get(name) for row in rows) for row in rows for name in row}
        found[group] = {name: None if mean is None else mean.mean for name, mean in means.items()}
    return found


def _confidence(cells: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Shares]:
    return {
        (when, part): tuple(np.mean([cell[when][part] for cell in cells], axis=0).tolist())
        for when in ("before", "after")
        for part in ("forget", "retain", "test")
        if cells
    }
