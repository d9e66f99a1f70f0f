"""Exact unlearning: train a new network on the retained samples only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from expunge.methods.method import Method
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class RetrainConfig:
    """Settings of Retrain; all others are those of the original training."""

    epochs: int | None = None
    """Passes over the retained samples; default: as in the original training."""

    def __post_init__(self) -> None:
        if self.epochs is not None:
            check_range("epochs", self.epochs, 1, None)


def retrain(model: nn.Module, split: Split, config: RetrainConfig, context: Context) -> nn.Module:
    """A freshly initialised network, trained on the retained samples with the training settings.

    It keeps the mask, if any, and does not rewind the weights.

    Raises:
        ConfigError: the context has no training settings.
        ModelError: the context cannot build a fresh network.
    """
    from expunge.training.fit import fit
    from expunge.training.step import task_loss
    from expunge.training.streams import Stream

    training = context.training_settings()
    if config.epochs is not None:
        training = replace(training, epochs=config.epochs)
    fresh = context.fresh_model().to(next(model.parameters()).device)
    retain = Stream(split.train, split.retain)
    fit(fresh, retain, task_loss, training, context, label="retrain")
    fresh.train(model.training)
    return fresh


METHOD = Method(
    name="retrain",
    run=retrain,
    config=RetrainConfig,
    reads=frozenset({"retain"}),
    needs=frozenset({"training", "rebuild"}),
    tasks=frozenset({"classify", "generate"}),
    example={"epochs": 1},
    milder="lower the learning rate of the training",
    summary="train a new network without the forget set: the exact but slow reference",
    cite="Cao and Yang, Towards Making Systems Forget with Machine Unlearning, S&P 2015",
)
