"""The interval of a statistic of seeds that is no mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from expunge.errors import DataError
from expunge.statistics.intervals import Interval, paired_t

T = TypeVar("T")


def jackknife(values: Sequence[T], statistic: Callable[[Sequence[T]], float]) -> Interval:
    """The t-interval of a statistic over n values, from the n that leave one of them out.

    The estimate is the statistic of all values. Bounds are rough where n is small.

    Source: Tukey, Bias and confidence in not quite large samples, Annals of Mathematical Statistics
    1958.

    Raises:
        DataError: fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise DataError(f"an interval needs at least 2 values, got {n}")
    whole = statistic(values)
    without = [statistic([*values[:place], *values[place + 1 :]]) for place in range(n)]
    found = paired_t([n * whole - (n - 1) * each for each in without])
    apart = whole - found.estimate
    return replace(found, estimate=whole, low=found.low + apart, high=found.high + apart)
