"""A published cell: what a paper says of one method, in one scenario, at one sparsity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from expunge.config import from_mapping
from expunge.errors import ConfigError, shown

LARGEST = 1e100
"""No measure comes near; squares of larger numbers have no place in a float."""
How = Literal["read", "digitised", "unverified"]
HOW: tuple[How, ...] = get_args(How)
"""How a number was taken: read from a table, measured from a figure, or from memory."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """The published values of one cell, from one source.

    Raises:
        ConfigError: there is no source or value, a value is not finite, a deviation is below 0, or
            fewer than two trials, or no draw, are said to be behind it.
    """

    scenario: str
    """As in a grid, or the kind alone: `class` stands for every `class:...`."""
    method: str
    """A method, or `original`."""
    source: str
    """Where it is published, in words."""
    how: How
    """How it was taken from there."""
    values: Mapping[str, tuple[float, ...]]
    """By metric, or `rte_s`: the mean, or the mean and the standard deviation."""
    pruner: str = "none"
    sparsity: float = 0.0
    """0-1."""
    n: int | None = None
    """How many trials the mean is over; None if that is not said."""
    error: Mapping[str, float] = field(default_factory=dict)
    """By metric: how far a digitised value may be off, in the metric's unit."""
    setting: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the published experiment by their dotted names in a recipe; `none` stands for a
    setting that is not set."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The same of the method's own settings."""

    chosen_by: str | None = None
    """How the method's settings were chosen: `oracle` for the smallest gap; None if given."""
    draws: int | None = None
    """How many draws of an attacker's sample are behind a value; None if that is not said."""

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise ConfigError("source is empty: say where the value is published")
        if not 0 <= self.sparsity < 1 or (self.pruner == "none") != (self.sparsity == 0):
            raise ConfigError(
                "expected a pruner and a sparsity above 0 and below 1, or neither, got "
                f"{self.pruner!r} and {self.sparsity!r}"
            )
        if self.n is not None and self.n < 2:
            raise ConfigError(f"n must be 2 trials or more, or left out, got {self.n}")
        if self.draws is not None and self.draws < 1:
            raise ConfigError(f"draws must be 1 or more, or left out, got {self.draws}")
        if not self.values:
            raise ConfigError("values is empty: expected at least one, such as { ua = [22.53] }")
        for metric, value in self.values.items():
            if len(value) not in (1, 2) or not all(abs(number) <= LARGEST for number in value):
                raise ConfigError(
                    f"values.{metric} must be [mean] or [mean, deviation], within ±{LARGEST:g}, "
                    f"got {shown(list(value))}"
                )
            if value[1:] and value[1] < 0:
                raise ConfigError(f"values.{metric}: a deviation is 0 or more, got {value[1]:g}")
        for metric, error in self.error.items():
            if metric not in self.values or not 0 <= error <= LARGEST:
                raise ConfigError(
                    f"error.{metric} must be 0 or more, and of one of values, got {shown(error)}"
                )

    @property
    def key(self) -> tuple[str, str, str, float, str, str]:
        """What no two cells of a recipe share."""
        place = (self.scenario, self.method, self.pruner, self.sparsity)
        return (*place, self.source, self.how)

    def mean(self, metric: str) -> float | None:
        """The published mean of a metric; None if there is none."""
        return self.values[metric][0] if metric in self.values else None

    def deviation(self, metric: str) -> float | None:
        """The published standard deviation of a metric; None if there is none."""
        value = self.values.get(metric, ())
        return value[1] if len(value) > 1 else None


def published_from(document: object, where: str) -> Published:
    """A published cell from a table of a recipe, or as a results document keeps it.

    Raises:
        ConfigError: it is not one.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(f"{where}: expected a table, got {shown(document)}")
    return from_mapping(Published, document, where)
