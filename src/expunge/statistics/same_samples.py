"""Two models on the same samples: claims about these models rest on samples, not on seeds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from expunge.errors import DataError
from expunge.statistics.intervals import CONFIDENCE, Interval

Right = npt.NDArray[np.bool_]
"""Flags `(N,)`: which samples a model gets right."""

RESAMPLES = 10_000


class McNemar(NamedTuple):
    """What an exact McNemar test counts, and its p-value."""

    only_one: int
    """Samples that only the first model gets right."""
    only_other: int
    """Samples that only the second model gets right."""
    p: float
    """Two-sided."""


def mcnemar(one: Right, other: Right) -> McNemar:
    """Whether two models are right equally often: the exact test on the samples they differ on.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions,
    Psychometrika 1947.

    Raises:
        DataError: the flags are empty or of different lengths.
    """
    _check(one, other)
    from scipy.stats import binomtest

    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    both = only_one + only_other
    p = float(binomtest(only_one, both).pvalue) if both else 1.0
    return McNemar(only_one, only_other, p)


def bootstrap(one: Right, other: Right, seed: int, resamples: int = RESAMPLES) -> Interval:
    """The difference of two models' accuracies, `one` minus `other`, in points: paired bootstrap.

    Samples are drawn with replacement, both models' answers together; bounds are percentiles. There
    are none where all samples are of one kind, such as right by both models: no draw differs then.

    Source: Efron, Bootstrap Methods: Another Look at the Jackknife, Annals of Statistics 1979.

    Raises:
        DataError: the flags are empty or of different lengths.
    """
    _check(one, other)
    n = len(one)
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    # Of a sample of samples only the numbers of each kind matter.
    kinds = np.array([only_one, only_other, n - only_one - only_other])
    if n in kinds:
        return Interval(100 * (only_one - only_other) / n, -math.inf, math.inf, n)
    shares = kinds / n
    drawn = np.random.default_rng(seed).multinomial(n, shares, size=resamples)
    found = 100 * (drawn[:, 0] - drawn[:, 1]) / n
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(found, (tail, 100 - tail))
    return Interval(100 * (only_one - only_other) / n, float(low), float(high), n)


def _check(one: Right, other: Right) -> None:
    if one.shape != other.shape or one.ndim != 1 or len(one) == 0:
        raise DataError(
            f"expected two models' answers to the same samples, got {one.shape} and {other.shape}"
        )
