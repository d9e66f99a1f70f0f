"""Claims of studies that are not grids: two sides by seed, and the verdict on their difference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from expunge.statistics.claims import Direction, verdict_on
from expunge.statistics.intervals import difference


def judged(
    first: Mapping[int, float],
    second: Mapping[int, float],
    direction: Direction,
    effect: float,
    *,
    as_factor: bool = False,
) -> dict[str, Any]:
    """The verdict, and the difference of values by seed, first minus second, with its interval.

    With `as_factor`, values are positive, and the difference, its bounds and the effect are of how
    many times the first is the second: differences of logarithms. The effect is then above 1, and
    a claim that the first is lower needs a factor of at most 1 / effect.
    """
    if as_factor:
        first = {seed: math.log(value) for seed, value in first.items()}
        second = {seed: math.log(value) for seed, value in second.items()}
        effect = math.log(effect)
    found = difference(first, second)
    verdict = verdict_on(found, direction, effect)
    if found is None:
        return {"verdict": verdict, "difference": None, "low": None, "high": None, "n": 0}
    numbers = [found.estimate, *found.bounds]
    if as_factor:
        numbers = [None if each is None else math.exp(each) for each in numbers]
    estimate, low, high = numbers
    return {"verdict": verdict, "difference": estimate, "low": low, "high": high, "n": found.n}
