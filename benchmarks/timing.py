"""Times that mean something on a noisy machine: all sides in turn, in one process."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

Side: TypeAlias = Callable[[], object]
"""One side of a comparison: it does the whole of the work each time it is called."""


@dataclass(frozen=True)
class Figure:
    """One measured figure, as `build/bench.json` holds it."""

    name: str
    value: float
    """The median."""
    unit: str
    better: Literal["higher", "lower"]
    floor: float | None
    """The value that the machine's own rates, or the work beside it, would give."""
    target: float | None
    met: bool | None
    n: int
    spread: tuple[float, float]
    """The smallest and the largest value."""


def seconds(side: Side) -> float:
    start = now()
    side()
    return now() - start


def now() -> float:
    """Seconds on a clock, when the accelerator, if there is one, has done what it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


def in_turn(sides: Mapping[str, Side], rounds: int, warmup: int = 1) -> dict[str, list[float]]:
    """Seconds of every side in every round, after a warm-up.

    Every other round goes backwards, so that a machine that grows slower or faster favours none.
    """
    for _ in range(warmup):
        for side in sides.values():
            side()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for index in range(rounds):
        for name in reversed(list(sides)) if index % 2 else sides:
            found[name].append(seconds(sides[name]))
    return found


def over(slow: list[float], fast: list[float]) -> list[float]:
    """How many times longer `slow` took than `fast`, round by round."""
    return [one / other for one, other in zip(slow, fast, strict=True)]


def rates(amount: float, times: list[float]) -> list[float]:
    """How much was done a second, round by round."""
    return [amount / time for time in times]


def figure(
    name: str,
    values: list[float],
    *,
    unit: str = "x",
    better: Literal["higher", "lower"] = "higher",
    floor: float | None = None,
    target: float | None = None,
) -> Figure:
    """The median of `values`, judged against `target`."""
    median = statistics.median(values)
    met = None if target is None else (median >= target if better == "higher" else median <= target)
    return Figure(
        name, median, unit, better, floor, target, met, len(values), (min(values), max(values))
    )
