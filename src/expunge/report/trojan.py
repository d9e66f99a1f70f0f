"""Trojan cleanse: attack success and standard accuracy over sparsity, in words and in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expunge.published import Published
from expunge.report.aggregate import Group, Level, Scenario
from expunge.report.backdoor import ASR, ASR_ALL, no_backdoor
from expunge.report.published import elsewhere, published_of, published_value, sources
from expunge.report.text import TextTable
from expunge.report.wording import (
    MISSING,
    ORIGINAL,
    REFERENCES,
    RETRAIN,
    points,
    scenario_label,
    signed,
)
from expunge.statistics.intervals import Interval, difference, over_seeds

SA = "ta"

HEADER = (
    "Sparsity",
    "Method",
    "ASR",
    "change of ASR",
    "ASR over all",
    "SA",
    "change of SA",
)
PUBLISHED_HEADER = ("published: ASR over all", "SA")

INTRODUCTION = (
    "ASR: the share of triggered test images of other classes that the model calls the target "
    "class. “Over all”: the paper’s, which counts images of the target class too, so that a clean "
    "model has about 10 of 100 with ten classes. SA: accuracy on clean test images, the TA of the "
    "other tables. Changes are from the original at the same sparsity and seed. In brackets: 95 % "
    "intervals over seeds, cut at 0 and 100 where they are of a share."
)


@dataclass(frozen=True, kw_only=True)
class Trojan:
    """What a scenario shows of a backdoor."""

    verdicts: tuple[str, ...]
    """A sentence for each level."""
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def trojan_of(scenario: Scenario, settings: Mapping[str, Any]) -> Trojan | None:
    """The Trojan part of a scenario; None if its ASR was not measured."""
    if not any(ASR in group.by_seed for group in scenario.groups.values()):
        return None
    published = [each for each in published_of(scenario.name, settings) if ASR_ALL in each.values]
    beside = bool(published)
    return Trojan(
        verdicts=tuple(_verdict(scenario, level) for level in scenario.levels),
        header=(*HEADER, *(PUBLISHED_HEADER if beside else ())),
        rows=tuple(
            _row(scenario, group, published)
            for level in scenario.levels
            for method in scenario.rows
            if (group := scenario.get(method, level)) is not None
        ),
        notes=_notes(scenario, published, settings) if beside else (),
    )


def trojan_table(scenario: Scenario, settings: Mapping[str, Any]) -> TextTable | None:
    """The same for a terminal; None if ASR was not measured."""
    found = trojan_of(scenario, settings)
    if found is None:
        return None
    # A terminal is narrow: intervals are in the sentences, and in the report.
    narrow = [place for place, name in enumerate(found.header) if name != HEADER[3]]
    return TextTable(
        title=f"{scenario_label(scenario.name)}: Trojan cleanse",
        header=[found.header[place] for place in narrow],
        rows=[[row[place].partition(" (")[0] for place in narrow] for row in found.rows],
        notes=[*found.verdicts, *found.notes, INTRODUCTION],
    )


def _verdict(scenario: Scenario, level: Level) -> str:
    """What unlearning did to the backdoor at a level; no verdict where there was hardly one."""
    start = level.label[:1].upper() + level.label[1:]
    why, original = no_backdoor(scenario, level), scenario.get(ORIGINAL, level)
    if why or original is None:
        return f"{start}: no cleanse verdict, because {why}."
    groups = [
        group
        for method in scenario.methods
        if method not in REFERENCES
        and (group := scenario.get(method, level)) is not None
        and ASR in group.by_seed
    ]
    effects = [_effect(group, original, scenario.get(RETRAIN, level)) for group in groups]
    return " ".join((f"{start}: ASR of the original {points(original.mean(ASR))}.", *effects))


def _effect(group: Group, original: Group, retrain: Group | None) -> str:
    """What one method did, with its interval, and whether Retrain can be told from it."""
    text = f"{group.title}: ASR {points(group.mean(ASR))}"
    change = _difference(group, original, ASR)
    if change is None:
        text += " (one seed: no interval)"
    else:
        text += f", {signed(change.estimate)} {_bounds(change)}{_told(group, change, retrain)}"
    accuracy = _change(group, original, SA)
    return f"{text}." if accuracy == MISSING else f"{text}; SA {accuracy}."


def _told(group: Group, change: Interval, retrain: Group | None) -> str:
    """Whether an ASR can be told from the original's, and from Retrain's."""
    if change.holds_zero:
        return ", not told from no change"
    if retrain is None or ASR not in retrain.by_seed:
        return ""
    apart = _difference(group, retrain, ASR)
    if apart is None:
        return ""
    told = "not told from" if apart.holds_zero else "told from"
    return f", {told} Retrain’s {points(retrain.mean(ASR))}"


def _row(scenario: Scenario, group: Group, published: Sequence[Published]) -> tuple[str, ...]:
    original = scenario.get(ORIGINAL, group.level)
    values = [
        _value(group, ASR),
        _change(group, original, ASR),
        _value(group, ASR_ALL),
        _value(group, SA),
        _change(group, original, SA),
    ]
    if published:
        for measure in (ASR_ALL, SA):
            there = published_value(published, measure, group.method, group.level)
            values.append(MISSING if there is None else f"{there:g}")
    return (group.level.label, group.title, *values)


def _value(group: Group, measure: str) -> str:
    if measure not in group.by_seed:
        return MISSING
    found = over_seeds(group.by_seed[measure])
    mean = points(group.mean(measure))
    return mean if found is None else f"{mean} {_bounds(found, share=True)}"


def _change(group: Group, original: Group | None, measure: str) -> str:
    if group.method == ORIGINAL or original is None:
        return MISSING
    if measure not in group.by_seed or measure not in original.by_seed:
        return MISSING
    found = _difference(group, original, measure)
    if found is None:
        return signed(group.mean(measure) - original.mean(measure))
    return f"{signed(found.estimate)} {_bounds(found)}"


def _difference(group: Group, other: Group, measure: str) -> Interval | None:
    return difference(group.by_seed[measure], other.by_seed[measure])


def _bounds(found: Interval, *, share: bool = False) -> str:
    if not found.bounded:
        return "(the same in both seeds, which gives no interval)"
    if found.flat:
        return f"(the same in all {found.n} seeds)"
    if share:
        return f"({points(max(0.0, found.low))} to {points(min(100.0, found.high))})"
    return f"({signed(found.low)} to {signed(found.high)})"


def _notes(
    scenario: Scenario, published: Sequence[Published], settings: Mapping[str, Any]
) -> tuple[str, ...]:
    """How far the published values are to be compared."""
    said = f"Published: {'; '.join(sources(published))}."
    if not elsewhere(published, settings):
        return (said,)
    return (
        f"{said} This is another setting: compare only the direction over sparsity.",
        *_directions(scenario, published),
    )


def _directions(scenario: Scenario, published: Sequence[Published]) -> Sequence[str]:
    """For each method, from dense to its sparsest published level: theirs, and this run's."""
    dense = next((level for level in scenario.levels if level.sparsity == 0), None)
    found = []
    for method in (ORIGINAL, *scenario.methods):
        ends = [
            (group, theirs)
            for level in scenario.levels
            if (group := scenario.get(method, level)) is not None
            and ASR_ALL in group.by_seed
            and (theirs := published_value(published, ASR_ALL, method, level)) is not None
        ]
        if len(ends) < 2 or ends[0][0].level != dense:
            continue
        (first, before), (last, after) = ends[0], ends[-1]
        found.append(
            f"ASR over all of {scenario.title(method)}, dense to {last.level.label}: published "
            f"{before:g} to {after:g}, here {points(first.mean(ASR_ALL))} to "
            f"{points(last.mean(ASR_ALL))}."
        )
    return found
