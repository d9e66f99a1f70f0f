"""What a claim of a grid compares in a scenario, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping

from expunge.report.aggregate import Group, Level, Scenario
from expunge.report.backdoor import ASR, ASR_ALL, no_backdoor
from expunge.report.wording import level_label
from expunge.statistics.claims import Claim, Side

FEW = "fewer than two seeds have both"
"""Why there is no interval."""


def sides_of(claim: Claim) -> tuple[Side, Side]:
    """Both sides of a claim."""
    return claim.first, claim.second


def group_of(scenario: Scenario, side: Side) -> Group | None:
    """All seeds of a side; None where it was not run."""
    return scenario.get(side.method, Level(side.sparsity, side.pruner))


def no_verdict(scenario: Scenario, claim: Claim) -> str:
    """Why nothing can be said of a claim whatever the seeds say; empty where something can."""
    if claim.measure in (ASR, ASR_ALL):
        for level in (Level(side.sparsity, side.pruner) for side in sides_of(claim)):
            if why := no_backdoor(scenario, level):
                return f"no verdict, because, {level.label}, {why}"
    return ""


def values_of(scenario: Scenario, side: Side, measure: str) -> Mapping[int, float]:
    """A measure of one side by seed; empty where it was not measured."""
    group = group_of(scenario, side)
    return {} if group is None else group.by_seed.get(measure, {})


def sides_in_words(scenario: Scenario, claim: Claim) -> str:
    """Both sides of a claim in words: the first minus the second."""
    return " minus ".join(
        f"{scenario.title(side.method)} {level_label(side.pruner, side.sparsity)}"
        for side in sides_of(claim)
    )


def asked(direction: str, effect: float, as_factor: bool = False) -> str:
    """What a claim asks for.

    >>> asked("lower", 2.0), asked("within", 0.5), asked("higher", 5.0, as_factor=True)
    ('lower by at least 2', 'within 0.5', 'higher by a factor of at least 5')
    """
    of = "a factor of " if as_factor else ""
    if direction == "within":
        return f"within {of}{effect:g}"
    return f"{direction} by {of}at least {effect:g}"
