"""The paper's layout: a row a method, for every measure a dense column beside the sparse ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from expunge.report.aggregate import Group, Level, Scenario, Summary
from expunge.report.draws import DISAGREE, DISAGREE_NOTE, disagreeing, one_draw_note
from expunge.report.lacking import lacking_notes
from expunge.report.measures import (
    AVG_GAP,
    AVG_GAP_DENSE,
    CORE,
    DETAILS,
    RTE,
    SPARSITY,
    Measure,
    further,
    measures_of,
)
from expunge.report.summary import lowest, not_converged
from expunge.report.wording import (
    MISSING,
    ORIGINAL,
    REFERENCES,
    RETRAIN,
    number,
    percent,
    points,
    seconds,
)

LOW_NOTE = (
    "Highlighted: gaps that cannot be told from the smallest of their column, where others can "
    "(paired 95 % intervals over seeds hold 0)."
)
"""What bold or highlighted entries are."""


NOT_CONVERGED = "‡"
"""The mark of a Retrain that has not learnt what it retains."""

NOT_CONVERGED_NOTE = (
    f"{NOT_CONVERGED} Reference not converged: Retrain’s RA is more than a point below the "
    "original’s at the same sparsity. A gap there is also to what it has not learnt yet."
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One place in a table."""

    text: str
    """Value and spread, or a dash."""
    beside: str = ""
    """What is printed under it: the gap, or the share of Retrain's time."""
    sort: float | None = None
    """What sorting goes by: the gap where there is one, so that the smallest comes first."""
    mark: str = ""
    """A sign that the legend under the table explains."""
    note: int | None = None
    """Number of the note that says why something is missing, from 1."""
    low: bool = False
    """Whether its gap can't be told from the smallest of its column, where others can."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method."""

    method: str
    label: str
    reference: bool
    """Retrain or the original model: what methods are compared with."""
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Methods by measures and levels; entries go measure by measure, level by level."""

    measures: tuple[Measure, ...]
    levels: tuple[Level, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    made: str
    """Which rows were made by which environment; empty if there was only one."""
    legend: tuple[str, ...]
    """What marks mean, and what holds for whole columns."""


class _Notes:
    """Reasons in the order in which they are first needed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def main_table(scenario: Scenario) -> Table:
    """UA, RA, TA and MIA-efficacy with gaps, the mean gap, and RTE."""
    gap = (AVG_GAP,) if has_gap(scenario) else ()
    return _table(scenario, (*core_of(scenario), *gap, RTE))


def core_of(scenario: Scenario) -> tuple[Measure, ...]:
    """Those of the four measures that were asked for here, or else the first four others.

    All of the four where it is not known what was asked for.
    """
    groups = scenario.groups.values()
    there = {key for group in groups for key in (*group.metrics, *group.reasons)}
    declared = [key for key in scenario.declared if key in there]
    if asked := tuple(measure for measure in CORE if measure.key in declared):
        return asked
    others = [key for key in declared if key not in DETAILS]
    return measures_of(others[:4], scenario.declared) if others else CORE


def has_gap(scenario: Scenario) -> bool:
    """Whether a measure that gaps are over was asked for, or it is not known."""
    flags = [each.get("compared", True) for each in scenario.declared.values()]
    return any(flags) or not flags


def further_table(scenario: Scenario) -> Table | None:
    """Measures outside the mean gap; None if the document has none of them."""
    groups = scenario.groups.values()
    shown = {measure.key for measure in core_of(scenario)}
    measures = tuple(
        measure
        for measure in further(
            frozenset(key for group in groups for key in group.metrics), scenario.declared
        )
        if measure.key not in shown
    )
    if any(group.gap_dense for group in groups):
        measures = (*measures, AVG_GAP_DENSE)
    if any(group.sparsity_measured for group in groups):
        measures = (*measures, SPARSITY)
    if not measures:
        return None
    table = _table(scenario, measures)
    return replace(table, notes=(*table.notes, *_unmeasured(scenario)))


def _unmeasured(scenario: Scenario) -> list[str]:
    """Why measures have no column: no row has a value of them."""
    groups = scenario.groups.values()
    there = {key for group in groups for key in group.metrics}
    reasons = {key: reason for group in groups for key, reason in group.reasons.items()}
    missing = further(frozenset(reasons) - there - DETAILS, scenario.declared)
    return [f"{measure.short}: {_ended(reasons[measure.key])}" for measure in missing]


def _table(scenario: Scenario, measures: tuple[Measure, ...]) -> Table:
    notes = _Notes()
    low = {
        (measure, level): _lowest(scenario, measure, level)
        for measure in (*CORE, AVG_GAP)
        for level in scenario.levels
    }
    rows = []
    for method in scenario.rows:
        entries = tuple(
            _entry(scenario, method, measure, level, low.get((measure, level), frozenset()), notes)
            for measure in measures
            for level in scenario.levels
        )
        reference = method in REFERENCES
        rows.append(
            Row(method=method, label=scenario.title(method), reference=reference, entries=entries)
        )
    return Table(
        measures=measures,
        levels=scenario.levels,
        rows=tuple(rows),
        notes=tuple(notes.texts),
        made=scenario.made,
        legend=_legend(scenario, measures, rows),
    )


def _legend(
    scenario: Scenario, measures: Sequence[Measure], rows: Sequence[Row]
) -> tuple[str, ...]:
    marks = {mark for row in rows for entry in row.entries for mark in entry.mark}
    notes = (
        DISAGREE_NOTE if DISAGREE in marks else "",
        NOT_CONVERGED_NOTE if NOT_CONVERGED in marks else "",
        one_draw_note(scenario, measures),
        *lacking_notes(scenario),
        *dict.fromkeys(
            _sentence(note) for group in scenario.groups.values() for note in group.gap_notes
        ),
    )
    return tuple(note for note in notes if note)


def _lowest(scenario: Scenario, measure: Measure, level: Level) -> frozenset[str]:
    """The methods whose gap can't be told from the smallest; empty where no other can be."""
    key = "gap" if measure is AVG_GAP else f"gap.{measure.key}"
    there = (scenario.get(method, level) for method in scenario.methods)
    groups = [group for group in there if group is not None and key in group.by_seed]
    if len(groups) < 2:
        return frozenset()
    told = {group.method for group, _ in lowest(groups, key)[1]}
    return (
        frozenset(group.method for group in groups if group.method not in told)
        if told
        else frozenset()
    )


def _entry(
    scenario: Scenario,
    method: str,
    measure: Measure,
    level: Level,
    low: frozenset[str],
    notes: _Notes,
) -> Entry:
    group = scenario.get(method, level)
    if group is None:
        return _missing(notes, f"{scenario.title(method)} was not run at this sparsity.")
    if measure is RTE:
        return _time_entry(scenario, group, notes)
    if measure is SPARSITY:
        return _sparsity_entry(group, notes)
    if measure in (AVG_GAP, AVG_GAP_DENSE):
        return _mean_gap_entry(group, measure, low, notes)
    return _value_entry(scenario, group, measure, low, notes)


def _missing(notes: _Notes, reason: str) -> Entry:
    return Entry(text=MISSING, note=notes.number(reason))


def _value_entry(
    scenario: Scenario, group: Group, measure: Measure, low: frozenset[str], notes: _Notes
) -> Entry:
    value, gap = group.metrics.get(measure.key), group.gap.get(measure.key)
    if not group.measured:
        return _missing(notes, _failure(group))
    if value is None:
        reason = group.reasons.get(measure.key, "there is no value for this row")
        return _missing(notes, f"{measure.short}: {_ended(reason)}")
    text = spread(value, measure.unit)
    mark = DISAGREE if disagreeing(group, measure.key) else ""
    if group.method == RETRAIN and measure.key == "ra" and not_converged(scenario, group.level):
        mark += NOT_CONVERGED
    if group.method == RETRAIN:
        return Entry(text=text, mark=mark, sort=0.0)
    if gap is None:
        return Entry(text=text, mark=mark, sort=value.mean)
    return Entry(
        text=text,
        mark=mark,
        beside=points(gap.mean),
        sort=gap.mean,
        low=group.method in low,
    )


def _mean_gap_entry(group: Group, measure: Measure, low: frozenset[str], notes: _Notes) -> Entry:
    if not group.measured:
        return _missing(notes, _failure(group))
    if measure is AVG_GAP and group.method == RETRAIN:
        return Entry(text="0", sort=0.0)
    gap = (group.gap if measure is AVG_GAP else group.gap_dense).get("avg")
    if gap is None:
        reason = group.gap_reason or "There is no dense Retrain of this seed."
        return _missing(notes, _sentence(reason))
    return Entry(text=spread(gap), sort=gap.mean, low=group.method in low)


def _sparsity_entry(group: Group, notes: _Notes) -> Entry:
    share = group.sparsity_measured
    if share is None:
        reason = group.reasons.get(SPARSITY.key)
        return _missing(
            notes,
            "The sparsity was not measured."
            if reason is None
            else f"{SPARSITY.short}: {_ended(reason)}",
        )
    return Entry(text=f"{100 * share.mean:.2f} %", sort=share.mean)


def _time_entry(scenario: Scenario, group: Group, notes: _Notes) -> Entry:
    if group.rte_s is None:
        reason = "The run was not timed."
        if group.method == ORIGINAL:
            reason = "Nothing was unlearned."
        elif not group.measured:
            reason = _failure(group)
        return _missing(notes, reason)
    share = time_share(scenario, group)
    return Entry(
        text=seconds(group.rte_s.mean, group.rte_s.std),
        beside="" if share is None or group.method == RETRAIN else percent(share),
        sort=group.rte_s.mean,
    )


def _failure(group: Group) -> str:
    """One note for everything that a method lacks which failed in every seed."""
    return _sentence("; ".join(dict.fromkeys(group.failed.values())))


def time_share(scenario: Scenario, group: Group) -> float | None:
    """The method's time as a share of Retrain's at the same level; None if either is missing."""
    retrain = scenario.get(RETRAIN, group.level)
    if group.rte_s is None or retrain is None or not (retrain.rte_s and retrain.rte_s.mean):
        return None
    return group.rte_s.mean / retrain.rte_s.mean


def spread(summary: Summary, unit: str = "percent") -> str:
    """Mean and standard deviation; the mean alone for a single seed.

    >>> spread(Summary(93.08, 2.29, 3)), spread(Summary(93.08, None, 1))
    ('93.08±2.29', '93.08')
    """
    mean = number(summary.mean, unit)
    return mean if summary.std is None else f"{mean}±{number(summary.std, unit)}"


def _sentence(text: str) -> str:
    text = _ended(text)
    return text[:1].upper() + text[1:]


def _ended(text: str) -> str:
    text = text.strip()
    return text + ("" if text.endswith((".", "!", "?")) else ".")
