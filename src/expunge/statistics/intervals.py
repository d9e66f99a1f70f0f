"""Confidence intervals, 95 %: of differences over seeds, and of a proportion of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from expunge.errors import DataError

CONFIDENCE = 0.95

ROUNDING = 1e-9
"""Differences of equal numbers that were added up in other orders are smaller."""


@dataclass(frozen=True)
class Interval:
    """An estimate, the bounds of its interval, and what it rests on.

    Bounds are infinite where the values cannot give any.
    """

    estimate: float
    low: float
    high: float
    n: int
    """Seeds, pairs of seeds or samples."""

    @property
    def holds_zero(self) -> bool:
        """Whether no difference is among the values that it does not exclude."""
        return self.low <= ROUNDING and self.high >= -ROUNDING

    @property
    def bounded(self) -> bool:
        """Whether it has bounds at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """`low` and `high`, None for each where there are none, as JSON has no infinity."""
        return (self.low, self.high) if self.bounded else (None, None)

    @property
    def flat(self) -> bool:
        """Whether all values that it rests on are the same, so that it has no width."""
        return self.high - self.low <= ROUNDING


class Moments(NamedTuple):
    """What is known of values on one side of a comparison."""

    mean: float
    deviation: float
    """Sample standard deviation, with n - 1 in the denominator."""
    n: int


def half_width(n: int) -> float:
    """Half the width of a t-interval over n values, in standard deviations of one value.

    Args:
        n: two or more.

    >>> [round(half_width(n), 2) for n in (2, 3, 5)]
    [8.98, 2.48, 1.24]
    """
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) / math.sqrt(n)


def smallest_rank_p(n: int) -> float:
    """The smallest two-sided p-value that a signed-rank test of n pairs can give.

    >>> smallest_rank_p(3)
    0.25
    """
    return min(1.0, 2.0 ** (1 - n))


def paired_t(differences: Sequence[float]) -> Interval:
    """The t-interval of the mean of paired differences.

    Two differences that are equal have no bounds: measures are counts of few samples, so equal ones
    are common, and say nothing of how differences spread.

    Raises:
        DataError: fewer than two differences.
    """
    n = len(differences)
    if n < 2:
        raise DataError(f"an interval needs at least 2 pairs, got {n}")
    mean = math.fsum(differences) / n
    deviation = _deviation(differences)
    reach = math.inf if n == 2 and deviation <= ROUNDING else half_width(n) * deviation
    return Interval(mean, mean - reach, mean + reach, n)


def over_seeds(values: Mapping[int, float]) -> Interval | None:
    """The t-interval of the mean of values by seed; None for fewer than two.

    Two values that are equal have no bounds, as in `paired_t`.
    """
    return None if len(values) < 2 else paired_t([*values.values()])


def welch(one: Sequence[float], other: Sequence[float]) -> Interval:
    """The interval of the difference of two means, `one` minus `other`, of unpaired values.

    It has no bounds where all values of each side are equal, and one side has two of them.

    Source: Welch, The generalization of Student's problem, Biometrika 1947.

    Raises:
        DataError: fewer than two values on a side.
    """
    return welch_of(moments(one), moments(other))


def welch_p(one: Sequence[float], other: Sequence[float]) -> float:
    """The two-sided p-value of no difference of two means, of unpaired values.

    It is 1 where `welch` has no bounds.

    Source: Welch, The generalization of Student's problem, Biometrika 1947.

    Raises:
        DataError: fewer than two values on a side.
    """
    return welch_p_of(moments(one), moments(other))


def moments(values: Sequence[float]) -> Moments:
    """What Welch's test needs of values; nan for what too few of them do not have."""
    n = len(values)
    mean = math.fsum(values) / n if n else math.nan
    return Moments(mean, _deviation(values) if n > 1 else math.nan, n)


def welch_of(one: Moments, other: Moments) -> Interval:
    """`welch`, where only means, deviations and counts are known, as of published values.

    Raises:
        DataError: fewer than two values on a side.
    """
    from scipy.special import stdtrit

    difference, error, degrees = _welch(one, other)
    n = min(one.n, other.n)
    if error <= ROUNDING:
        reach = math.inf if n == 2 else 0.0
    else:
        reach = float(stdtrit(degrees, (1 + CONFIDENCE) / 2)) * error
    return Interval(difference, difference - reach, difference + reach, n)


def welch_p_of(one: Moments, other: Moments) -> float:
    """`welch_p`, where only means, deviations and counts are known, as of published values.

    Raises:
        DataError: fewer than two values on a side.
    """
    from scipy.special import stdtr

    difference, error, degrees = _welch(one, other)
    if error <= ROUNDING:
        return 1.0 if min(one.n, other.n) == 2 or abs(difference) <= ROUNDING else 0.0
    return 2 * float(stdtr(degrees, -abs(difference) / error))


def paired_difference(one: Mapping[int, float], other: Mapping[int, float]) -> Interval | None:
    """The interval of `one` minus `other`, values by seed, over the seeds that both have.

    None for fewer than two.
    """
    common = sorted(one.keys() & other.keys())
    return None if len(common) < 2 else paired_t([one[seed] - other[seed] for seed in common])


def difference(one: Mapping[int, float], other: Mapping[int, float]) -> Interval | None:
    """The interval of `one` minus `other`, values by seed; None if there are too few seeds.

    Paired over the seeds that both have; unpaired if these are fewer than two.
    """
    found = paired_difference(one, other)
    if found is not None:
        return found
    if min(len(one), len(other)) >= 2:
        return welch([*one.values()], [*other.values()])
    return None


def wilson(successes: int, total: int) -> Interval:
    """The score interval of a proportion, in percent.

    It is for samples drawn from a population, as test samples are: not for a fixed list.

    Source: Wilson, Probable Inference, JASA 1927.

    Raises:
        DataError: there are no samples, or not 0 to `total` successes.
    """
    if not (total >= 1 and 0 <= successes <= total):
        raise DataError(f"expected 0 to {total} successes of 1 or more, got {successes}")
    from scipy.stats import binomtest

    found = binomtest(successes, total).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(100 * successes / total, 100 * found.low, 100 * found.high, total)


def _welch(one: Moments, other: Moments) -> tuple[float, float, float]:
    """The difference of two means, its standard error, and the degrees of freedom (nan for none).

    Raises:
        DataError: fewer than two values on a side.
    """
    sizes = one.n, other.n
    if min(sizes) < 2:
        raise DataError(f"an interval needs at least 2 values on each side, got {sizes}")
    difference = one.mean - other.mean
    parts = [each.deviation**2 / each.n for each in (one, other)]
    total = sum(parts)
    if math.sqrt(total) <= ROUNDING:
        return difference, math.sqrt(total), math.nan
    # Shares of the total: squares of small parts would vanish.
    shares = [(part / total) ** 2 / (size - 1) for part, size in zip(parts, sizes, strict=True)]
    return difference, math.sqrt(total), 1 / sum(shares)


def _deviation(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
