"""What an unlearning method is: a function, its settings and where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from expunge.types import Context, Split


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
    needs: frozenset[Literal["recipe", "rebuild"]] = frozenset()
    """What it needs from the context besides a device."""
    summary: str
    """One line for lists."""
    cite: str
    """Where it was published."""
