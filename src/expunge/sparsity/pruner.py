"""What a pruner is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from expunge.errors import ConfigError
from expunge.settings import check_choice, check_range

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Mask, Samples

Layer = Literal["auto", "conv", "linear"]
"""Kinds of layers whose weights can be pruned. `auto` is the convolutions, or, in a network that
has none, the linear layers but the last, which is the head."""


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """What every pruner is told; one with more to set extends it.

    Raises:
        ConfigError: the sparsity is not in [0, 1), or a layer is of no known kind.
    """

    sparsity: float = 0.95
    """Fraction of prunable weights to prune, at least 0 and less than 1."""
    layers: tuple[Layer, ...] = ("auto",)
    """Kinds of layers whose weights are prunable; `linear` includes the head. `auto`: `conv`, or,
    without any, the linear layers but the head."""

    def __post_init__(self) -> None:
        check_range("sparsity", self.sparsity, 0, 1)
        if self.sparsity == 1:
            raise ConfigError("sparsity must be less than 1, got 1: no weight would be left")
        if not self.layers:
            raise ConfigError(f"layers must name one or more of {', '.join(get_args(Layer))}")
        for layer in self.layers:
            check_choice("layers", layer, get_args(Layer))


@dataclass(frozen=True, kw_only=True)
class TrainedPruneConfig(PruneConfig):
    """What every pruner of trained networks is told."""

    rewind: bool = True
    """Train again from the weights of the rewind epoch; False: from the trained weights."""


def one_round(config: PruneConfig) -> tuple[float, ...]:
    """The sparsity that is asked for, at once."""
    return (config.sparsity,)


@dataclass(frozen=True, kw_only=True)
class Pruner:
    """A way to choose the weights that a network can do without."""

    name: str
    """What recipes, tables and the command line call it."""
    run: Callable[[nn.Module, Samples, Any, Context], Mask]
    """From the model, the training samples, an instance of `config` and the context to a mask.

    The model is not changed. The mask has exactly `round(sparsity * n)` pruned of n prunable
    weights, what `context.mask` prunes among them, and is on the device of the weights."""
    config: type[PruneConfig]
    """Its settings; of a pruner of trained networks, a `TrainedPruneConfig`."""
    summary: str
    """What it does, in half a line."""
    cite: str
    """Where it was published."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """Settings over the defaults that are small enough for a test, and that do something."""
    version: int = 1
    """Raised when its numbers change; part of the id of every model that it pruned."""
    when: Literal["trained", "initial"] = "trained"
    """Which weights it is given: after training, or as they were initialised."""
    rounds: Callable[[Any], tuple[float, ...]] = one_round
    """From an instance of `config` to the ascending sparsities that it is run at, the network being
    trained after each; the last is the one that is asked for."""
    needs_samples: bool = False
    """Whether it reads training samples; if not, it looks at no more than their shape."""
