"""Draws: what depends on a random sample is measured on many samples, and their spread is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from expunge.errors import ConfigError

FEW = 20
"""How many draws there are where they agree."""

MANY = 200
"""How many there are where the first ones disagree."""

AGREE = 5.0
"""The largest standard deviation at which draws agree, in percentage points."""


@dataclass(frozen=True)
class Draws:
    """The values of one metric over draws, in the order of the draws.

    Raises:
        ConfigError: there are fewer than two, or one is not finite.
    """

    values: tuple[float, ...]
    within: float = AGREE
    """The largest standard deviation at which they agree, in the metric's unit."""

    def __post_init__(self) -> None:
        if len(self.values) < 2 or not all(math.isfinite(value) for value in self.values):
            raise ConfigError(f"expected two or more finite draws, got {list(self.values)}")

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.values)

    @cached_property
    def mean(self) -> float:
        """Their mean."""
        return math.fsum(self.values) / self.n

    @cached_property
    def deviation(self) -> float:
        """Their standard deviation, with n − 1 in the denominator."""
        squares = math.fsum((value - self.mean) ** 2 for value in self.values)
        return math.sqrt(squares / (self.n - 1))

    @property
    def standard_error(self) -> float:
        """The standard error of their mean; it says nothing about other models."""
        return self.deviation / math.sqrt(self.n)

    @property
    def agree(self) -> bool:
        """Whether the standard deviation is at most `within`."""
        return self.deviation <= self.within

    def percentile(self, percent: float) -> float:
        """The percentile, linear between values."""
        import numpy as np

        return float(np.percentile(self.values, percent))

    def summary(self) -> dict[str, float | int | bool]:
        """What documents keep: `n`, `mean`, `deviation`, `standard_error`, percentiles, `agree`."""
        return {
            "n": self.n,
            "mean": self.mean,
            "deviation": self.deviation,
            "standard_error": self.standard_error,
            "median": self.percentile(50),
            "p5": self.percentile(5),
            "p95": self.percentile(95),
            "agree": self.agree,
        }


def over_draws(
    one: Callable[[int], float], few: int = FEW, many: int = MANY, within: float = AGREE
) -> Draws:
    """`one(draw)` for the draws from 0: `few` of them, `many` where those disagree.

    >>> over_draws(lambda draw: 50.0).n, over_draws(lambda draw: 100.0 * (draw % 2)).n
    (20, 200)
    """
    draws = Draws(tuple(one(draw) for draw in range(few)), within)
    if draws.agree:
        return draws
    return Draws((*draws.values, *(one(draw) for draw in range(few, many))), within)
