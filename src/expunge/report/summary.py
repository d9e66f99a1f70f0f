"""What a scenario shows, in words: what its seeds can tell apart, and what they can't."""

from __future__ import annotations

import math
from dataclasses import dataclass

from expunge.metrics.gap import CONVERGED
from expunge.report.aggregate import Group, Level, Scenario
from expunge.report.claims import FEW, asked, no_verdict, sides_in_words, sides_of, values_of
from expunge.report.measures import measure_label
from expunge.report.wording import (
    ORIGINAL,
    RETRAIN,
    RETRAIN_AGAIN,
    listed,
    points,
    with_bounds,
)
from expunge.statistics.claims import Claim, judge
from expunge.statistics.intervals import Interval, difference, half_width, smallest_rank_p

NEAR = 1.0
"""Points of mean gap below which the original model leaves little for a method to gain."""


@dataclass(frozen=True)
class Findings:
    """A scenario in words."""

    lead: tuple[str, ...]
    """One sentence a level: the mean gaps, and which methods can't be told from the lowest."""
    claims: tuple[str, ...]
    """The verdict on each claim of the recipe, and whether it was named beforehand."""
    rest: tuple[str, ...]
    """Sparsity, the original model, the references, and what to be careful with."""


def findings(scenario: Scenario) -> Findings:
    """Say what the seeds tell apart, and how much they can tell."""
    compared = [each.get("compared", True) for each in scenario.declared.values()]
    levels = scenario.levels if any(compared) or not compared else ()
    lead = tuple(_level(scenario, level) for level in levels)
    base, *sparse = scenario.levels
    rest = []
    if base.sparsity == 0:
        for level in sparse:
            rest += [_sparsity(scenario, base, level), _reference(scenario, base, level)]
    rest += [_not_converged(scenario), _original(scenario), _floor(scenario)]
    rest += [_failed(scenario), _seeds(scenario)]
    claims = tuple(_claim(scenario, claim) for claim in scenario.claims)
    return Findings(lead, claims, tuple(sentence for sentence in rest if sentence))


def lowest(groups: list[Group], measure: str) -> tuple[Group, list[tuple[Group, Interval]]]:
    """The group with the lowest mean, and those that can be told from it, each with its interval.

    The interval is of a group's measure minus the lowest, paired over seeds.
    """
    least = min(groups, key=lambda group: group.mean(measure))
    told = []
    for group in groups:
        apart = difference(group.by_seed[measure], least.by_seed[measure])
        if group is not least and apart is not None and not apart.holds_zero:
            told.append((group, apart))
    return least, told


def not_converged(scenario: Scenario, level: Level) -> bool:
    """Whether Retrain's RA is more than a point below the original's at the same sparsity."""
    retrain, original = scenario.get(RETRAIN, level), scenario.get(ORIGINAL, level)
    if not (retrain and original):
        return False
    after, before = retrain.by_seed.get("ra", {}), original.by_seed.get("ra", {})
    common = after.keys() & before.keys()
    lost = math.fsum(before[seed] - after[seed] for seed in common)
    return bool(common) and lost / len(common) > CONVERGED


def _with_gap(scenario: Scenario, level: Level) -> list[Group]:
    """The methods that have a mean gap at the level, in the order of the document."""
    groups = (scenario.get(method, level) for method in scenario.methods)
    return [group for group in groups if group and "avg" in group.gap]


def _level(scenario: Scenario, level: Level) -> str:
    groups = _with_gap(scenario, level)
    start = _start(level)
    if not groups:
        there = (scenario.get(method, level) for method in scenario.methods)
        reasons = dict.fromkeys(group.gap_reason for group in there if group and group.gap_reason)
        why = "; ".join(reasons) or "no method was run"
        return f"{start}: no gap to Retrain can be given ({why})."
    values = listed([_named(group) for group in groups])
    if len(groups) == 1 or len(scenario.seeds) == 1:
        return f"{start}: mean gap to Retrain, in points: {values}."
    least, told = lowest(groups, "gap")
    gap = f"{points(least.mean('gap'))} points"
    if not told:
        return (
            f"{start}: no method can be told from the one with the lowest mean gap to Retrain "
            f"({least.title}, {gap}). In points: {values}."
        )
    out = {id(group) for group, _ in told}
    names = listed([group.title for group in groups if id(group) not in out])
    apart = listed([f"{group.title} {_apart(found, scenario)}" for group, found in told])
    if len(told) == len(groups) - 1:
        return (
            f"{start}: {names} has the lowest mean gap to Retrain, {gap}; all others can be told "
            f"from it: {apart}."
        )
    return (
        f"{start}: {names} cannot be told from the lowest mean gap to Retrain, {gap} "
        f"({least.title}). Told from it: {apart}."
    )


def _sparsity(scenario: Scenario, dense: Level, sparse: Level) -> str:
    pairs = [
        (before, after)
        for before in _with_gap(scenario, dense)
        for after in _with_gap(scenario, sparse)
        if before.method == after.method
    ]
    if not pairs:
        return ""
    if len(scenario.seeds) == 1:
        changes = listed([_change(before, after) for before, after in pairs])
        return f"Mean gap, dense → {sparse.label}: {changes}."
    unclear = "not told from no change for"
    parts: dict[str, list[str]] = {"lower for": [], "higher for": [], unclear: []}
    for before, after in pairs:
        found = difference(after.by_seed["gap"], before.by_seed["gap"])
        if found is None or found.holds_zero:
            what = unclear
        else:
            what = "lower for" if found.estimate < 0 else "higher for"
        apart = "" if found is None else f", {_apart(found, scenario)}"
        parts[what].append(f"{_change(before, after)}{apart}")
    clauses = "; ".join(f"{what} {listed(names)}" for what, names in parts.items() if names)
    return f"Change in mean gap from dense to {sparse.label}: {clauses}."


def _reference(scenario: Scenario, dense: Level, sparse: Level) -> str:
    """Retrain's own TA: a gap shrinks also when the reference comes down."""
    before, after = scenario.get(RETRAIN, dense), scenario.get(RETRAIN, sparse)
    if not (before and after and "ta" in before.metrics and "ta" in after.metrics):
        return ""
    found = difference(after.by_seed["ta"], before.by_seed["ta"])
    return (
        f"Retrain’s own TA is {points(before.mean('ta'))} dense and {points(after.mean('ta'))} at "
        f"{sparse.label}{'' if found is None else f': {_apart(found, scenario)}'}. Gaps there are "
        "to the sparse one."
    )


def _not_converged(scenario: Scenario) -> str:
    found = []
    for level in scenario.levels:
        retrain, original = scenario.get(RETRAIN, level), scenario.get(ORIGINAL, level)
        if retrain and original and not_converged(scenario, level):
            values = f"RA {points(retrain.mean('ra'))}, the original {points(original.mean('ra'))}"
            found.append(f"{level.label} ({values})")
    if not found:
        return ""
    return (
        f"Caution, reference not converged: Retrain {listed(found)}. A gap there is also to what "
        "the reference has not learnt yet."
    )


def _original(scenario: Scenario) -> str:
    """How far the model is from Retrain with nothing unlearned, and what can't be told from it."""
    there = (scenario.get(ORIGINAL, level) for level in scenario.levels)
    originals = [group for group in there if group is not None and "gap" in group.by_seed]
    if not originals:
        return ""
    distances = [f"{points(group.mean('gap'))} points ({group.level.label})" for group in originals]
    text = f"The original model, which forgot nothing, is {listed(distances)} from Retrain."
    near = [group.level.label for group in originals if group.mean("gap") < NEAR]
    if near:
        text += f" That leaves little to tell unlearning from doing nothing by ({listed(near)})."
    alike, farther, nearer = _against(scenario, originals)
    if alike and not (farther or nearer):
        return f"{text} No method can be told from doing nothing by its mean gap."
    if alike:
        text += f" Not told from doing nothing by their mean gap: {listed(alike)}."
    if farther:
        text += f" Farther from Retrain than that: {listed(farther)}."
    return text


def _against(scenario: Scenario, originals: list[Group]) -> tuple[list[str], list[str], list[str]]:
    """The methods whose mean gap can't be told from the original's, is larger, and is smaller."""
    alike: list[str] = []
    farther: list[str] = []
    nearer: list[str] = []
    for original in originals:
        for group in _with_gap(scenario, original.level):
            found = difference(group.by_seed["gap"], original.by_seed["gap"])
            if found is not None:
                side = alike if found.holds_zero else farther if found.estimate > 0 else nearer
                side.append(f"{group.title} ({group.level.label})")
    return alike, farther, nearer


def _floor(scenario: Scenario) -> str:
    """How far Retrain is from itself by another seed, and which methods are no farther."""
    floors, within = [], []
    for level in scenario.levels:
        again = scenario.get(RETRAIN_AGAIN, level)
        if again is None or "avg" not in again.gap:
            continue
        floor = again.gap["avg"].mean
        floors.append(f"{points(floor)} points ({level.label})")
        within += [
            f"{group.title} ({level.label})"
            for group in _with_gap(scenario, level)
            if group.gap["avg"].mean <= floor
        ]
    if not floors:
        return ""
    return (
        f"Retrain by another seed is {listed(floors)} from Retrain: a smaller gap means nothing. "
        f"Within that: {listed(within) or 'no method'}."
    )


def _claim(scenario: Scenario, claim: Claim) -> str:
    start = f"Claim “{claim.name}”:"
    if why := no_verdict(scenario, claim):
        return f"{start} {why}."
    judged = judge(claim, *(values_of(scenario, each, claim.measure) for each in sides_of(claim)))
    when = "beforehand" if claim.seen is None else f"afterwards ({claim.seen})"
    stated = f"stated {when}: {asked(claim.direction, claim.effect)}"
    measure = measure_label(claim.measure, scenario.declared)
    what = f"{start} {judged.verdict}. {sides_in_words(scenario, claim)}, {measure}"
    if judged.interval is None:
        return f"{what}: {FEW}; {stated}."
    total = len(scenario.seeds)
    n = f"n = {judged.interval.n}{f' of {total} seeds' * (judged.interval.n < total)}"
    return f"{what}: {with_bounds(judged.interval)}, {n}; {stated}."


def _failed(scenario: Scenario) -> str:
    """Which cells hold no numbers: a mean over the other seeds leaves out what went wrong."""
    if not scenario.failed:
        return ""
    cells = [
        f"{group.title} ({group.level.label}, seed{'s' * (len(group.failed) > 1)} "
        f"{listed([str(seed) for seed in sorted(group.failed)])})"
        for group in scenario.failed
    ]
    count = sum(len(group.failed) for group in scenario.failed)
    total = sum(len(group.seeds) for group in scenario.groups.values())
    text = f"Caution, {count} of {total} cells failed and hold no numbers: {listed(cells)}."
    if any(group.measured for group in scenario.failed):
        text += " A mean over the other seeds leaves out what went wrong."
    return text


def _seeds(scenario: Scenario) -> str:
    n = len(scenario.seeds)
    if n == 1:
        return (
            "Caution, n = 1: one seed. No difference can be told from chance, neither between "
            "methods nor between levels of sparsity; these are only values."
        )
    groups = scenario.groups.values()
    counts = {len(group.measured) for group in groups}
    counts |= {len(group.by_seed.get("gap", {})) for group in groups}
    counts -= {0}
    claims = "the claims named beforehand"
    if all(claim.seen is None for claim in scenario.claims):
        claims = "the claims"
    named = any(claim.seen is None for claim in scenario.claims)
    text = f"Every number is the mean of n = {n} seeds."
    if counts - {n}:
        text = (
            f"Seeds: {min(counts)} to {n}, not the same number for every method; a mean is over "
            "those that there are, a difference over those that both have (over all, unpaired, "
            "where fewer than two pair)."
        )
    return (
        f"{text} Intervals are at 95 %, paired by seed: at n = {n} they reach "
        f"{half_width(n):.2f} standard deviations of the differences to each side, and no rank "
        f"test can go below p = {smallest_rank_p(n):.2g}. They are not corrected for their "
        "number, nor for choosing the lowest by the same seeds: "
        f"{f'all but {claims}' if named else 'with no claim named beforehand, all this'}"
        " is descriptive."
    )


def _named(group: Group) -> str:
    return f"{group.title} {points(group.mean('gap'))}"


def _change(before: Group, after: Group) -> str:
    return f"{before.title} {points(before.mean('gap'))} → {points(after.mean('gap'))}"


def _apart(found: Interval, scenario: Scenario) -> str:
    """A difference and its interval, with n where it rests on fewer seeds than there are."""
    return with_bounds(found, f", n = {found.n}" * (found.n < len(scenario.seeds)))


def _start(level: Level) -> str:
    return level.label[:1].upper() + level.label[1:]
