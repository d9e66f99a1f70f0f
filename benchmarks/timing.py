"""Ratios that mean something on a noisy machine: both sides in turn, in one process."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure, as `build/bench.json` holds it."""

    name: str
    value: float
    unit: str
    better: str
    floor: float | None
    target: float | None
    met: bool | None
    n: int
    spread: tuple[float, float]


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def ratios(
    ours: Callable[[], object], other: Callable[[], object], rounds: int, warmup: int = 1
) -> list[float]:
    """Seconds of `other` over seconds of `ours`, pair by pair, in turn, after a warm-up."""
    for _ in range(warmup):
        ours()
        other()
    found = []
    for index in range(rounds):
        if index % 2:
            slow = seconds(other)
            fast = seconds(ours)
        else:
            fast = seconds(ours)
            slow = seconds(other)
        found.append(slow / fast)
    return found


def figure(
    name: str,
    values: list[float],
    *,
    unit: str = "x",
    better: str = "higher",
    floor: float | None = None,
    target: float | None = None,
) -> Figure:
    """The median of `values`, judged against `target`."""
    median = statistics.median(values)
    met = None if target is None else (median >= target if better == "higher" else median <= target)
    return Figure(
        name, median, unit, better, floor, target, met, len(values), (min(values), max(values))
    )
