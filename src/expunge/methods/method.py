"""The record that describes an unlearning method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from expunge.errors import ConfigError
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Split


@dataclass(frozen=True)
class Range:
    """The range in which a setting is searched, both ends included.

    Raises:
        ConfigError: the ends are not finite and ascending, or not positive with `log`.
    """

    low: float
    high: float
    log: bool = False
    """Search uniformly in the logarithm, for settings whose order of magnitude matters."""

    def __post_init__(self) -> None:
        check_range("low", self.low, None, None)
        check_range("high", self.high, None, None)
        if self.low >= self.high:
            raise ConfigError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ConfigError(f"low must be above 0 on a logarithmic scale, got {self.low}")


@dataclass(frozen=True, kw_only=True)
class Method:
    """One unlearning method.

    `run(model, split, config, context)` returns a new model and does not modify its input. Weights
    that `context.mask` prunes stay zero.
    """

    name: str
    """Its name in tables and on the command line."""
    run: Callable[[nn.Module, Split, Any, Context], nn.Module]
    config: type[Any]
    """Its settings: a frozen dataclass whose defaults are the paper's."""
    reads: frozenset[Literal["forget", "retain"]]
    """Which samples it uses."""
    needs: frozenset[Literal["training", "rebuild"]] = frozenset()
    """What else it needs from the context, besides a device."""
    tasks: frozenset[str] = frozenset({"classify"})
    """The tasks of the models that it can unlearn from."""
    search: Mapping[str, Range] = field(default_factory=dict)
    """Ranges that `expunge tune` searches, by setting; empty if nothing is tuned."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """Settings for tests: small and fast, but with a visible effect."""
    milder: str = "choose milder settings"
    """What to change, by the names of settings, if it destroys the model."""
    version: int = 1
    """Increased when its results change; part of the id of every model it makes."""
    summary: str
    """One line for listings."""
    cite: str
    """The publications that it comes from."""
