"""What a scenario shows, in words: sentences that the numbers carry, and their limits."""

from __future__ import annotations

from dataclasses import dataclass

from expunge.report.aggregate import Group, Level, Scenario, Summary
from expunge.report.tables import time_share
from expunge.report.wording import ORIGINAL, RETRAIN, listed, method_label, percent, points

CLEAR = 1.0
"""Points of mean gap by which a method must beat the original model to be told from it."""


@dataclass(frozen=True)
class Findings:
    """A scenario in words."""

    lead: tuple[str, ...]
    """One sentence a level: which method is closest to Retrain."""
    rest: tuple[str, ...]
    """What sparsity did, where the original model stands, what to be careful with."""


def findings(scenario: Scenario) -> Findings:
    """Say which method is closest to Retrain, what sparsity did, and how sure that is."""
    lead = tuple(_closest(scenario, level) for level in scenario.levels)
    base, *sparse = scenario.levels
    rest = [_unsettled(scenario, level) for level in scenario.levels]
    if base.sparsity == 0:
        for level in sparse:
            rest += [_sparsity(scenario, base, level), _reference(scenario, base, level)]
    rest += [_original(scenario), _seeds(scenario)]
    return Findings(lead, tuple(sentence for sentence in rest if sentence))


def _ranked(scenario: Scenario, level: Level) -> list[tuple[Summary, Group]]:
    """The methods that have a mean gap at the level, closest first."""
    groups = (scenario.get(method, level) for method in scenario.methods)
    ranked = [(group.gap["avg"], group) for group in groups if group and "avg" in group.gap]
    return sorted(ranked, key=lambda pair: pair[0].mean)


def _closest(scenario: Scenario, level: Level) -> str:
    ranked = _ranked(scenario, level)
    if not ranked:
        groups = (scenario.get(method, level) for method in scenario.methods)
        reasons = dict.fromkeys(group.gap_reason for group in groups if group and group.gap_reason)
        why = "; ".join(reasons) or "no method was run"
        return f"{_start(level)}: no gap to Retrain can be given ({why})."
    gap, group = ranked[0]
    share = time_share(scenario, group)
    time = "" if share is None else f", in {percent(share)} of Retrain’s time"
    if len(ranked) == 1:
        what, then = "is the only method with a gap to Retrain", ""
    else:
        second, other = ranked[1]
        what = "is closest to Retrain"
        then = f"; {method_label(other.method)} is next at {points(second.mean)}"
    return (
        f"{_start(level)}: {method_label(group.method)} {what}, "
        f"{points(gap.mean)} points away on average{time}{then}."
    )


def _unsettled(scenario: Scenario, level: Level) -> str:
    """Say so where the first two cannot be told apart."""
    ranked = _ranked(scenario, level)[:2]
    if len(ranked) < 2:
        return ""
    (best, first), (second, other) = ranked
    apart = second.mean - best.mean
    if not _within_spread(apart, best, second):
        return ""
    return (
        f"{_start(level)}, the {points(apart)} points between {method_label(first.method)} and "
        f"{method_label(other.method)} are less than the spread over seeds: their order is not "
        "settled."
    )


def _sparsity(scenario: Scenario, dense: Level, sparse: Level) -> str:
    changes: dict[str, list[str]] = {"helped": [], "hurt": [], "made no clear difference to": []}
    for method in scenario.methods:
        before, after = scenario.get(method, dense), scenario.get(method, sparse)
        if not (before and after and "avg" in before.gap and "avg" in after.gap):
            continue
        old, new = before.gap["avg"], after.gap["avg"]
        change = new.mean - old.mean
        unclear = round(change, 2) == 0 or _within_spread(change, old, new)
        verb = "made no clear difference to" if unclear else "helped" if change < 0 else "hurt"
        changes[verb].append(f"{method_label(method)} ({points(old.mean)} → {points(new.mean)})")
    clauses = [f"{verb} {listed(names)}" for verb, names in changes.items() if names]
    if not clauses:
        return ""
    return f"Against dense, {sparse.label} {listed(clauses)}, in mean gap."


def _reference(scenario: Scenario, dense: Level, sparse: Level) -> str:
    """Whether Retrain itself got worse: a gap shrinks also when the reference comes down."""
    before, after = scenario.get(RETRAIN, dense), scenario.get(RETRAIN, sparse)
    if not (before and after and "ta" in before.metrics and "ta" in after.metrics):
        return ""
    change = after.metrics["ta"].mean - before.metrics["ta"].mean
    if abs(change) < 0.1:
        return f"Retrain’s own TA is the same at {sparse.label} (within 0.1 points)."
    if change > 0:
        return f"Retrain’s own TA is {points(change)} points higher at {sparse.label} than dense."
    return (
        f"Retrain’s own TA is {points(-change)} points lower at {sparse.label} than dense, so gaps "
        "there are measured against a weaker reference."
    )


def _original(scenario: Scenario) -> str:
    """How far the model is from Retrain with nothing unlearned, and who is hardly closer."""
    distances, hardly, farther, told_apart = [], [], [], False
    for level in scenario.levels:
        group = scenario.get(ORIGINAL, level)
        if group is None or "avg" not in group.gap:
            continue
        gap = group.gap["avg"].mean
        distances.append(f"{points(gap)} points ({level.label})")
        for other, one in _ranked(scenario, level):
            name = f"{method_label(one.method)} ({level.label})"
            if other.mean >= gap:
                farther.append(name)
            elif gap - other.mean < CLEAR:
                hardly.append(name)
            else:
                told_apart = True
    if not distances:
        return ""
    text = f"The original model, which forgot nothing, is {listed(distances)} from Retrain."
    if not told_apart and scenario.methods:
        text += (
            f" No method comes {CLEAR:g} point closer: this scenario hardly tells unlearning from "
            "doing nothing."
        )
    elif hardly:
        verb = "comes" if len(hardly) == 1 else "come"
        text += f" {listed(hardly)} {verb} less than {CLEAR:g} point closer to it than that."
    if farther:
        verb = "ends" if len(farther) == 1 else "end"
        text += f" {listed(farther)} {verb} no closer than that."
    return text


def _seeds(scenario: Scenario) -> str:
    n = len(scenario.seeds)
    if n == 1:
        return (
            "Caution, n = 1: there is one seed, so no spread is known, and differences between "
            "methods may be chance."
        )
    counts = {len(group.seeds) for group in scenario.groups.values()}
    if len(counts) > 1:
        return f"Seeds: {min(counts)} to {n}, not the same number for every method."
    return f"Every number is the mean of n = {n} seeds."


def _within_spread(difference: float, one: Summary, other: Summary) -> bool:
    spreads = [summary.std for summary in (one, other) if summary.std is not None]
    return bool(spreads) and abs(difference) <= max(spreads)


def _start(level: Level) -> str:
    return level.label[:1].upper() + level.label[1:]
