"""What a result says of a claim: the verdict, the figure behind it, and on how many seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expunge.report.aggregate import aggregate
from expunge.report.claims import (
    FEW,
    asked,
    group_of,
    no_verdict,
    sides_in_words,
    sides_of,
    values_of,
)
from expunge.report.claims_table import is_of_factor
from expunge.report.measures import measure_label
from expunge.report.study import study_of
from expunge.report.wording import factor, level_label, signed, three_digits, with_bounds
from expunge.statistics.claims import Claim, Direction, claim_from, judge, verdict_on
from expunge.statistics.intervals import Interval, difference

HOLDS, FAILS, OPEN = "holds", "does not hold here", "not settled"
QUANTITIES = {
    "add_back": "e(m)",
    "moved": "‖m⊙(θt−θ0)‖",
    "sigma": "σ(m) at θt",
    "sigma_start": "σ(m) at θ0",
    "bound": "bound",
}
"""What a point of the theorem's study holds besides the distances of methods, in print."""
_WORDS = {"holds": HOLDS, "does not hold": FAILS, "not settled": OPEN}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one result says of one claim."""

    verdict: str
    """`HOLDS`, `FAILS` or `OPEN`."""
    figure: str
    """The difference with its interval, or why there is none."""
    n: int
    """Seeds that it rests on."""
    beforehand: bool
    """Whether the claim was named before this was measured."""


@dataclass(frozen=True, kw_only=True)
class TheoryContrast:
    """One contrast of the theorem's study: a quantity at a level, minus the same at another."""

    scenario: str
    quantity: str
    """`moved`, `sigma`, `sigma_start` or `bound`; or of `distances`, such as `add_back`, whose
    distance to Retrain is e(m)."""
    pruner: str
    sparsity: float
    against: float = 0.0
    """The sparsity of the other side, of the same pruner; 0 for the dense network."""
    direction: Direction
    effect: float
    """The smallest difference worth a claim, in the quantity's unit."""


def of_grid(document: Mapping[str, Any], claim: Claim) -> Answer | None:
    """The answer of a grid; None if it has not measured both sides."""
    scenario = next((each for each in aggregate(document) if each.name == claim.scenario), None)
    if scenario is None or any(group_of(scenario, each) is None for each in sides_of(claim)):
        return None
    if why := no_verdict(scenario, claim):
        return Answer(verdict=OPEN, figure=why, n=0, beforehand=False)
    values = [values_of(scenario, each, claim.measure) for each in sides_of(claim)]
    judged = judge(claim, *values)
    measure = measure_label(claim.measure, scenario.declared)
    named = [claim_from(each) for each in document["settings"].get("claims", ())]
    return Answer(
        verdict=_WORDS[judged.verdict],
        figure=f"{measure}, {sides_in_words(scenario, claim)}: {_found(judged.interval, *values)}; "
        f"asked about: {asked(claim.direction, claim.effect)}",
        n=_seeds(judged.interval, *values),
        beforehand=claim.seen is None and claim in named,
    )


def of_study(document: Mapping[str, Any], name: str | None) -> Answer | None:
    """The answer of a study that is not a grid, and judges its own claims.

    A transfer has one claim, so it needs no name. None if the study has no such claim.
    """
    if study_of(document) == "transfer":
        found = document["claim"]
        if found is None:
            return None
        interval, direction = found["difference"], "higher"
        what = f"accuracy, {found['number']} harmful classes minus {found['against']}"
    else:
        found = next((each for each in document.get("claims", []) if each["name"] == name), None)
        if found is None:
            return None
        interval, direction = {**found, "estimate": found["difference"]}, found["direction"]
        what = found.get("what") or f"{found['measure']}, {found['first']} minus {found['second']}"
    n = 0 if interval is None else interval["n"]
    as_factor = is_of_factor(found)
    return Answer(
        verdict=_WORDS[found["verdict"]],
        figure=f"{what}: {_of_json(interval, as_factor)}; "
        f"asked about: {asked(direction, found['effect'], as_factor)}",
        n=n,
        beforehand=True,
    )


def of_theory(document: Mapping[str, Any], contrast: TheoryContrast) -> Answer | None:
    """The answer of the theorem's study; None if it has not measured both sides."""
    values = [_points(document, contrast, each) for each in (contrast.sparsity, contrast.against)]
    if not all(values):
        return None
    found = difference(*values)
    levels = [
        level_label(contrast.pruner if each else "none", each)
        for each in (contrast.sparsity, contrast.against)
    ]
    name = QUANTITIES.get(contrast.quantity, contrast.quantity)
    shown = FEW if found is None else with_bounds(found, show=three_digits)
    return Answer(
        verdict=_WORDS[verdict_on(found, contrast.direction, contrast.effect)],
        figure=f"{name}, {' minus '.join(levels)}: {shown}; "
        f"asked about: {asked(contrast.direction, contrast.effect)}",
        n=_seeds(found, *values),
        beforehand=False,
    )


def together(verdicts: Sequence[str]) -> str:
    """One verdict for a claim that several tests bear on.

    >>> together([HOLDS, HOLDS]), together([HOLDS, OPEN]), together([HOLDS, FAILS, OPEN])
    ('holds', 'not settled', 'holds in part')
    """
    if HOLDS in verdicts and FAILS in verdicts:
        return "holds in part"
    return OPEN if OPEN in verdicts else verdicts[0]


def _points(
    document: Mapping[str, Any], contrast: TheoryContrast, sparsity: float
) -> dict[int, float]:
    """By seed, a quantity of the theorem at a sparsity; a method that diverged has none."""
    place = (contrast.scenario, contrast.pruner if sparsity else "none", sparsity)
    rows = (
        (point["seed"], {**point, **point["distances"]})
        for point in document["points"]
        if (point["scenario"], point["pruner"], point["sparsity"]) == place
    )
    found = ((seed, row.get(contrast.quantity)) for seed, row in rows)
    return {seed: float(value) for seed, value in found if value is not None}


def _found(interval: Interval | None, *values: Mapping[int, float]) -> str:
    if interval is not None:
        return with_bounds(interval)
    if len(values[0]) == len(values[1]) == 1 and values[0].keys() == values[1].keys():
        (seed,) = values[0]
        return f"{signed(values[0][seed] - values[1][seed])} of one seed, which has no interval"
    return FEW


def _of_json(found: Mapping[str, Any] | None, as_factor: bool) -> str:
    """A difference, or a factor, as studies write it."""
    if found is None or found["estimate"] is None:
        return FEW
    bounds = (found[key] for key in ("low", "high"))
    low, high = (math.inf if each is None else float(each) for each in bounds)
    interval = Interval(found["estimate"], low, high, found["n"])
    return with_bounds(interval, show=factor if as_factor else three_digits)


def _seeds(interval: Interval | None, *values: Mapping[int, float]) -> int:
    return len(set.intersection(*(set(of) for of in values))) if interval is None else interval.n
