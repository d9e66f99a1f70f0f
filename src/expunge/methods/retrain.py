"""Exact unlearning: train a new network on the retained samples alone."""

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
    """Settings of Retrain; the rest is as the original was trained."""

    epochs: int | None = None
    """Passes over the retained samples; unset, as many as the original's."""

    def __post_init__(self) -> None:
        if self.epochs is not None:
            check_range("epochs", self.epochs, 1, None)


def retrain(model: nn.Module, split: Split, config: RetrainConfig, context: Context) -> nn.Module:
    """A freshly initialised network, trained on the retained samples by the training settings.

    The mask, if there is one, is kept; the weights are not rewound.

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
    fresh.train(model.training)
    retain = Stream(split.train, split.retain)
    fit(fresh, retain, task_loss, training, context, label="retrain")
    return fresh


METHOD = Method(
    name="retrain",
    run=retrain,
    config=RetrainConfig,
    reads=frozenset({"retain"}),
    needs=frozenset({"training", "rebuild"}),
    example={"epochs": 1},
    summary="train a new network without the forget set: exact, slow, the reference",
    cite="Cao and Yang, Towards Making Systems Forget with Machine Unlearning, S&P 2015",
)
