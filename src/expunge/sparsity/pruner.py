"""The record that describes a pruner."""

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
"""Kinds of layers whose weights can be pruned. `auto` is the convolutions, or, in a network without
any, all linear layers except the last, which is the head."""


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """Settings of every pruner; pruners with more settings extend it.

    Raises:
        ConfigError: the sparsity is not in [0, 1), or a kind of layer is unknown.
    """

    sparsity: float = 0.95
    """Fraction of prunable weights to prune, at least 0 and less than 1."""
    layers: tuple[Layer, ...] = ("auto",)
    """Kinds of layers whose weights are prunable; `linear` includes the head. `auto`: `conv`, or,
    in a network without any, the linear layers except the head."""

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
    """Settings of every pruner of trained networks."""

    rewind: bool = True
    """Train again from the weights of the rewind epoch; if false, from the trained weights."""


def one_round(config: PruneConfig) -> tuple[float, ...]:
    """One round, to the full sparsity."""
    return (config.sparsity,)


@dataclass(frozen=True, kw_only=True)
class Pruner:
    """One pruner."""

    name: str
    """Its name in recipes, tables and on the command line."""
    run: Callable[[nn.Module, Samples, Any, Context], Mask]
    """From the model, the training samples, an instance of `config` and the context to a mask.

    The model is not changed. The mask prunes exactly `round(sparsity * n)` of n prunable weights,
    including all that `context.mask` prunes, and is on the device of the weights."""
    config: type[PruneConfig]
    """Its settings; a `TrainedPruneConfig` for pruners of trained networks."""
    summary: str
    """What it does, in one short phrase."""
    cite: str
    """The publications that it comes from."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """Settings for tests: small and fast, but with a visible effect."""
    version: int = 1
    """Increased when its results change; part of the id of every model it prunes."""
    when: Literal["trained", "initial"] = "trained"
    """Which weights it takes: trained, or freshly initialised."""
    rounds: Callable[[Any], tuple[float, ...]] = one_round
    """From an instance of `config` to the ascending sparsity of each round. The network is trained
    after every round; the last sparsity is `config.sparsity`."""
    tasks: frozenset[str] = frozenset({"classify"})
    """The tasks of the models that it can prune."""
    needs_samples: bool = False
    """Whether it reads training samples; if not, it uses only their shape."""
