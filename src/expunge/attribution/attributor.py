"""The record that describes an attributor, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Samples


@dataclass(frozen=True, eq=False)
class Attributed:
    """Scores of training samples for predictions."""

    scores: Tensor
    """Float `(T, N)` on the CPU: of T targets by N training samples. Above zero, having trained on
    the sample lowers the loss of the target: it is helpful. Below zero it is harmful."""
    notes: tuple[str, ...] = ()
    """What a person should know about them, such as weights that were left out."""


@dataclass(frozen=True, kw_only=True)
class Attributor:
    """One way to tell which training samples a prediction rests on.

    `run(model, train, targets, config, context)` takes the samples that the model was trained on,
    and those whose predictions are to be explained. It does not change the model, and its scores of
    one target do not depend on which others are asked for.
    """

    name: str
    """Its name in tables and on the command line."""
    run: Callable[[nn.Module, Samples, Samples, Any, Context], Attributed]
    config: type[Any]
    """Its settings: a frozen dataclass."""
    package: str = ""
    """The module of an optional package that it needs; empty for none."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """Settings for tests, small and fast."""
    version: int = 1
    """Increased when its scores change; part of the id of every node that it makes."""
    summary: str
    """One line for listings."""
    cite: str
    """The publications that it comes from."""
