"""What an unlearning method is: a function, its settings and where it comes from."""

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
    """Between which values a setting is searched, both included.

    Raises:
        ConfigError: the ends are not finite and ascending, or not positive though `log`.
    """

    low: float
    high: float
    log: bool = False
    """Evenly in the logarithm: for settings that matter by their order of magnitude."""

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

    `run(model, split, config, context)` returns a new model; the one it is given is not modified,
    and weights that `context.mask` prunes stay zero.
    """

    name: str
    """What tables and the command line call it."""
    run: Callable[[nn.Module, Split, Any, Context], nn.Module]
    config: type[Any]
    """Its settings: a frozen dataclass whose defaults are the paper's."""
    reads: frozenset[Literal["forget", "retain"]]
    """Which samples it needs."""
    needs: frozenset[Literal["training", "rebuild"]] = frozenset()
    """What it needs from the context besides a device."""
    search: Mapping[str, Range] = field(default_factory=dict)
    """Between which values `expunge tune` searches its settings; empty: nothing to tune."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """Settings over the defaults that are small enough for a test, and that do something."""
    version: int = 1
    """Raised when its numbers change; part of the id of every model that it made."""
    summary: str
    """One line for lists."""
    cite: str
    """Where it was published."""
