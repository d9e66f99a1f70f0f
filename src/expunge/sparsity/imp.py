"""Iterative magnitude pruning: prune and train in rounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError
from expunge.settings import check_range
from expunge.sparsity.omp import one_shot_magnitude
from expunge.sparsity.pruner import Pruner, TrainedPruneConfig

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Mask, Samples


@dataclass(frozen=True, kw_only=True)
class ImpConfig(TrainedPruneConfig):
    """Settings of IMP.

    Raises:
        ConfigError: a round would remove nothing or everything.
    """

    per_round: float = 0.2
    """Fraction of the remaining weights that each round removes; the last round may remove less,
    to reach the sparsity."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("per_round", self.per_round, 0, 1)
        if self.per_round in (0, 1):
            raise ConfigError(f"per_round must be between 0 and 1, got {self.per_round}")


def iterative_magnitude(
    model: nn.Module, samples: Samples, config: ImpConfig, context: Context
) -> Mask:
    """One round: prune the smallest of the weights that `context.mask` keeps.

    Raises:
        DivergedError: a weight is not finite.
        MaskError: a layer would lose all its weights, or there is nothing to prune.
    """
    return one_shot_magnitude(model, samples, config, context)


def imp_rounds(config: ImpConfig) -> tuple[float, ...]:
    """The sparsity after each round: 1 − (1 − p)^k after round k, and finally `config.sparsity`.

    >>> [round(sparsity, 3) for sparsity in imp_rounds(ImpConfig(sparsity=0.5))]
    [0.2, 0.36, 0.488, 0.5]
    """
    kept = 1 - config.per_round
    # 1e-9: no extra round just to remove a rounding error.
    count = max(1, math.ceil(math.log(1 - config.sparsity) / math.log(kept) - 1e-9))
    return (*(1 - kept**done for done in range(1, count)), config.sparsity)


PRUNER = Pruner(
    name="imp",
    tasks=frozenset({"classify", "generate"}),
    run=iterative_magnitude,
    config=ImpConfig,
    example={"per_round": 0.4},
    summary="repeat: remove the smallest fifth of the weights, rewind, train",
    cite=(
        "Frankle and Carbin 2019, The Lottery Ticket Hypothesis (ICLR); rewinding to an early "
        "epoch as in Frankle et al. 2020, Linear Mode Connectivity and the Lottery Ticket "
        "Hypothesis (ICML)"
    ),
    rounds=imp_rounds,
)
