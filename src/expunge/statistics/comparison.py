"""Measured beside published: a test where the setting is the published one, else the direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from expunge.statistics.claims import verdict_on
from expunge.statistics.holm import holm
from expunge.statistics.intervals import Interval, Moments, moments, welch_of, welch_p_of

LEVEL = 0.05
"""A corrected p-value below it tells a measured mean from the published one."""

MARGIN = 1.0
"""Points: a measured mean is called the same only where its whole interval is no farther off."""

SEEDS = 5
"""Fewer are not tested: against ten published trials Welch's test then raises false alarms in 10 of
100 tests with two seeds, in 6 with three, and a correction over many cells makes that worse."""

Agreement = Literal["differs", "differs within the margin", "agrees", "not settled"]
Sign = Literal["same", "opposite", "not settled"]


class Stated(NamedTuple):
    """A published mean, and what is published of its certainty."""

    mean: float
    deviation: float | None = None
    n: int | None = None
    error: float = 0.0
    """How far it may be off by the way it was taken."""

    @property
    def moments(self) -> Moments | None:
        """What a test against it needs; None where the deviation or n is not published."""
        if self.deviation is None or self.n is None:
            return None
        return Moments(self.mean, self.deviation, self.n)


@dataclass(frozen=True)
class Compared:
    """A measured mean against a published one."""

    interval: Interval
    """Of ours minus the published mean; n is that of the side with fewer values."""
    p: float
    """Two-sided, of Welch's test."""
    corrected: float
    """By Holm over the whole family."""

    @property
    def verdict(self) -> Agreement:
        """What may be said of it.

        *Differs*: the corrected p-value is below the level; within the margin, if the whole
        interval is. *Agrees*: it is not told from the published mean, and the whole interval lies
        within the margin. *Not settled*: neither; that an interval contains the published mean is
        no agreement.
        """
        within = verdict_on(self.interval, "within", MARGIN) == "holds"
        if self.corrected < LEVEL:
            return "differs within the margin" if within else "differs"
        return "agrees" if within else "not settled"


def compare(family: Sequence[tuple[Moments, Sequence[float]]]) -> list[Compared]:
    """Welch's test of each published mean against values of two or more seeds, corrected by Holm.

    Source: Welch, The generalization of Student's problem, Biometrika 1947.

    Raises:
        DataError: fewer than two values on a side.
    """
    pairs = [(moments(values), published) for published, values in family]
    p = [welch_p_of(*pair) for pair in pairs]
    found = zip(pairs, p, holm(p), strict=True)
    return [Compared(welch_of(*pair), value, corrected) for pair, value, corrected in found]


def stated_difference(one: Stated, other: Stated) -> Interval:
    """What is published of a difference of two means, `one` minus `other`.

    By Welch where both have a deviation and n. Otherwise as far as reading may be off on both
    sides, which says nothing of how trials spread; `n` is then 0 where it is not published.
    """
    if one.moments is not None and other.moments is not None:
        return welch_of(one.moments, other.moments)
    estimate, reach = one.mean - other.mean, one.error + other.error
    n = min(one.n or 0, other.n or 0)
    return Interval(estimate, estimate - reach, estimate + reach, n)


def direction(published: Interval, ours: Interval | None) -> Sign:
    """Whether a measured effect has the sign of a published one whose interval excludes zero.

    *Same* and *opposite* only where the measured interval excludes zero as well; not settled
    otherwise, or with too few seeds.
    """
    if ours is None or not ours.bounded or ours.holds_zero:
        return "not settled"
    return "same" if (ours.estimate > 0) == (published.estimate > 0) else "opposite"
