"""Claims that are named before anything is measured, and their verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from expunge.config import from_mapping
from expunge.errors import ConfigError, shown
from expunge.statistics.intervals import ROUNDING, Interval, difference

Direction = Literal["lower", "higher", "within"]
Verdict = Literal["holds", "does not hold", "not settled"]


@dataclass(frozen=True, kw_only=True)
class Side:
    """A method at a level of sparsity."""

    method: str
    """A method of the recipe, or `original`."""
    pruner: str = "none"
    sparsity: float = 0.0
    """0-1."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One contrast: in a scenario, how the first side's measure differs from the second's.

    Raises:
        ConfigError: the name is empty, the effect is not positive, or both sides are the same.
    """

    name: str
    """The claim in words."""
    scenario: str
    first: Side
    second: Side
    direction: Direction
    """Whether the first side is to be lower or higher than the second, or no farther than the
    effect from it."""
    effect: float
    """The smallest difference worth a claim, in the measure's unit; with `within`, the largest that
    counts as none."""
    measure: str = "gap"
    """`gap` (the mean gap), `gap_dense`, `rte_s`, `gap.ua` and the like, or a metric."""
    seen: str | None = None
    """What had been seen of the comparison when the claim was named; None: nothing."""

    def __post_init__(self) -> None:
        check_contrast(self.name, self.effect, self.first, self.second)


def check_contrast(name: str, effect: float, first: object, second: object) -> None:
    """Refuse a claim that no measurement could be held against.

    Raises:
        ConfigError: the name is empty, the effect is not positive, or both sides are the same.
    """
    if not name.strip():
        raise ConfigError("a claim needs a name")
    if not (math.isfinite(effect) and effect > 0):
        raise ConfigError(f"claim {name!r}: effect must be a number above 0, got {effect!r}")
    if first == second:
        raise ConfigError(f"claim {name!r}: both sides are the same")


def check_names(names: Sequence[str]) -> None:
    """Refuse claims that nobody could tell apart.

    Raises:
        ConfigError: two have the same name.
    """
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"claim {name!r} is there twice")


@dataclass(frozen=True)
class Judged:
    """A claim, and what the seeds say of it."""

    claim: Claim
    verdict: Verdict
    interval: Interval | None
    """Of the first side minus the second; None if there are too few seeds."""


def judge(claim: Claim, first: Mapping[int, float], second: Mapping[int, float]) -> Judged:
    """The verdict on a claim, from its measure by seed on both sides."""
    found = difference(first, second)
    return Judged(claim, verdict_on(found, claim.direction, claim.effect), found)


def verdict_on(found: Interval | None, direction: Direction, effect: float) -> Verdict:
    """What the interval of a difference says of an effect that was stated beforehand.

    *Holds*: the interval lies beyond zero in the stated direction, and does not exclude the stated
    effect. *Does not hold*: the interval excludes the stated effect, even where a smaller
    difference is there. *Not settled*: neither, or there are too few seeds, or no bounds.

    A claim of a difference *within* the effect holds where the whole interval is, and does not hold
    where none of it is.
    """
    if found is None:
        return "not settled"
    if direction == "within":
        return _within(found, effect)
    sign = -1 if direction == "lower" else 1
    low, high = sorted((sign * found.low, sign * found.high))
    if high < effect - ROUNDING:
        return "does not hold"
    return "holds" if low > 0 and not found.holds_zero else "not settled"


def _within(found: Interval, effect: float) -> Verdict:
    if -effect - ROUNDING <= found.low and found.high <= effect + ROUNDING:
        return "holds"
    beyond = found.low > effect + ROUNDING or found.high < -effect - ROUNDING
    return "does not hold" if beyond else "not settled"


def claim_from(document: object) -> Claim:
    """A claim as a results document keeps it.

    Raises:
        ConfigError: it is not a claim.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(f"expected a claim, got {shown(document)}")
    return from_mapping(Claim, with_sides(document, Side, "claim", '{"method": "ft"}'), "claim")


def with_sides(
    table: Mapping[str, Any], side: type[Any], where: str, example: str
) -> dict[str, Any]:
    """A claim's table with `first` and `second` read; `example` is one of them, for messages.

    Raises:
        ConfigError: they are not sides.
    """
    sides = {}
    for name in ("first", "second"):
        if not isinstance(table.get(name), Mapping):
            raise ConfigError(f"{where}: {name} must be a table such as {example}")
        sides[name] = from_mapping(side, table[name], f"{where}: {name}")
    return {**table, **sides}
