"""A metric: a function of evidence, with its unit, its needs and its source."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from expunge.data.groups import GROUPS
from expunge.data.populations import POPULATIONS
from expunge.errors import ConfigError, TooFewSamplesError, unknown
from expunge.metrics.draws import Draws

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence

Value: TypeAlias = float | dict[str, "Value"] | list["Value"] | None
"""A number, or an object of numbers, as JSON."""

GENERATED, REAL = "generated", "real"

_PREDICTED = (*POPULATIONS, GROUPS)
PREDICTIONS = (*_PREDICTED, *(f"base_{name}" for name in _PREDICTED), GENERATED, REAL)
"""Predictions that a metric may read: those of the model on each population, and with `base_` those
of the model before unlearning. With `train`, `base_train` and `real` come the flags of retained
samples; predictions of `groups` have the group of each sample. `generated` and `real` are an
independent classifier's predictions, with its features, on the images that the model makes, whose
labels are the classes asked for, and on the training images."""

WEIGHTS = ("model", "base", "reference")
"""Weights that a metric may read: of the model with its mask, of the model before unlearning, and
of the retrained model."""

FORGET = "forget"
"""The need of a metric that reads the forget set: the flags of its samples for `train` and
`base_train`. They are not available once a forgotten sample is gone from the data."""

COPIES = "copies"
"""The need of a metric that reads how near generated images are to those of the forget set."""

MARGINS = "margins"
"""The need of a metric of many models at once, unlearned and retrained: their margins. No grid has
them."""

NEEDS = (*PREDICTIONS, *WEIGHTS, FORGET, COPIES, MARGINS)
"""All that a metric may read."""

RANGES: dict[str, tuple[float, float]] = {
    "percent": (0.0, 100.0),
    "fraction": (0.0, 1.0),
    "norm": (0.0, math.inf),
    "distance": (0.0, math.inf),
    "divergence": (0.0, math.inf),
}
"""The range of numbers with these units; with other units, they need only be finite."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Measured:
    """A metric's value, or why it has none.

    Raises:
        ConfigError: both a value and a reason are given, or neither; or the value is not the mean
            of its draws.
    """

    value: Value
    """One number, an object of numbers, or None if there is nothing to measure."""
    reason: str | None = None
    """Why the value is None; else None."""
    draws: Draws | None = None
    """The draws that the value is the mean of; None for a metric that draws nothing, or once."""

    def __post_init__(self) -> None:
        if (self.value is None) != bool(self.reason):
            raise ConfigError(
                "a measurement is a value, or None with a reason, "
                f"got {self.value!r} and the reason {self.reason!r}"
            )
        if self.draws is not None and self.value != self.draws.mean:
            raise ConfigError(
                f"the value of a measurement over draws is their mean, {self.draws.mean!r}, "
                f"got {self.value!r}"
            )

    @classmethod
    def over(cls, draws: Draws) -> Measured:
        """The mean of draws, with the draws."""
        return cls(draws.mean, draws=draws)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of one model in one scenario.

    `run(evidence)` does not change its argument, and returns the same value each time.

    Raises:
        ConfigError: `needs` has an unknown name, or the unit is empty.
    """

    name: str
    """Its key in results and recipes."""
    short: str
    """Its name in table headers."""
    title: str
    """Its name in words."""
    run: Callable[[Evidence], Measured]
    needs: frozenset[str]
    """What it reads, from `NEEDS`; it gets nothing else."""
    unit: str
    """The unit of all its numbers: `percent` is 0-100, `fraction` 0-1, `norm` 0 or more."""
    detailed: bool = False
    """Whether its value is an object of numbers, which has no column in tables."""
    compared: bool = False
    """Whether the gap to Retrain includes it, if a recipe names it."""
    drawn: bool = False
    """Whether its value is a mean over draws, which it gives with it: see `over_draws`."""
    tasks: frozenset[str] = frozenset({"classify"})
    """The tasks of the models that it measures."""
    version: int = 1
    """Raise it when the numbers change; part of the id of every measurement."""
    summary: str
    """What it measures, for lists and the report."""
    good: str
    """Which values are good."""
    cite: str
    """Where it was published."""
    example: Callable[[], Evidence] | None = None
    """Small evidence to try it on; None: `expunge.metrics.example.example_evidence`."""

    def __post_init__(self) -> None:
        for need in sorted(self.needs - set(NEEDS)):
            raise ConfigError(f"metric {self.name}: {unknown('need', need, NEEDS)}")
        if not self.unit:
            raise ConfigError(f"metric {self.name}: the unit is empty: expected percent, norm, ...")
        if self.compared and self.detailed:
            raise ConfigError(f"metric {self.name}: the gap is over single numbers, not details")
        if self.drawn and self.detailed:
            raise ConfigError(f"metric {self.name}: draws are of single numbers, not of details")


def measure(metric: Metric, evidence: Evidence) -> Measured:
    """Run `metric` on only the evidence that it needs.

    If a need is in `evidence.missing`, or there are too few samples, the result is None with that
    reason.

    Raises:
        DataError: something that it needs, or reads without declaring it, is missing.
        ConfigError: its value has the wrong form or unit.
        ExpungeError: the metric refuses its evidence.
    """
    for need in NEEDS:
        if need in metric.needs and need in evidence.missing:
            return Measured(None, evidence.missing[need])
    try:
        found = metric.run(evidence.only(metric.needs))
    except TooFewSamplesError as error:
        return Measured(None, str(error))
    _check(metric, found)
    return found


def _check(metric: Metric, found: Measured) -> None:
    if not isinstance(found, Measured):
        raise ConfigError(f"metric {metric.name} must give a Measured, got {type(found).__name__}")
    if found.value is not None and isinstance(found.value, dict) != metric.detailed:
        kind = "an object" if metric.detailed else "one number"
        raise ConfigError(f"metric {metric.name} must give {kind}, got {found.value!r}")
    if found.value is not None and (found.draws is not None) != metric.drawn:
        raise ConfigError(
            f"metric {metric.name} says drawn={metric.drawn}, and gave "
            f"{'no draws' if found.draws is None else 'draws'}"
        )
    low, high = RANGES.get(metric.unit, (-math.inf, math.inf))
    for number in _numbers(found.value):
        plain = isinstance(number, int | float) and not isinstance(number, bool)
        if not (plain and math.isfinite(number)):
            raise ConfigError(f"metric {metric.name} must give finite numbers, got {number!r}")
        if not low - _ROUNDING <= number <= high + _ROUNDING:
            raise ConfigError(
                f"metric {metric.name} gave {number!r}: expected {metric.unit} in {low:g}..{high:g}"
            )


def _numbers(value: Value) -> Iterator[float]:
    """Every number in a value, and whatever stands in place of one."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part)
    elif value is not None:
        yield value
