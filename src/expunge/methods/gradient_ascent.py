"""Gradient ascent (GA): increase the loss on the forget set."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.methods.method import Method, Range
from expunge.methods.sgd import SGDConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.training.step import Step
    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class GradientAscentConfig(SGDConfig):
    """Settings of GA. Defaults are the paper's for class-wise forgetting."""

    epochs: int = 5
    """Passes over the forget set."""
    lr: float = 1e-4
    """Learning rate; the paper searches 1e-5 to 0.1 outside class-wise CIFAR-10."""


def gradient_ascent(
    model: nn.Module, split: Split, config: GradientAscentConfig, context: Context
) -> nn.Module:
    """A copy of `model` after SGD steps that increase the loss on the forget set.

    Weight decay still shrinks the weights: only the loss changes sign.

    Raises:
        DivergedError: the loss is no longer finite.
    """
    from expunge.training.fit import fit
    from expunge.training.streams import Stream

    student = copy.deepcopy(model)
    forget = Stream(split.train, split.forget)
    fit(student, forget, _negative, config.training(), context, label="ga")
    return student


def _negative(step: Step) -> Tensor:
    return -step.losses()


METHOD = Method(
    name="ga",
    run=gradient_ascent,
    config=GradientAscentConfig,
    reads=frozenset({"forget"}),
    tasks=frozenset({"classify", "generate"}),
    search={"lr": Range(1e-5, 0.1, log=True)},
    example={"epochs": 2, "lr": 0.02, "batch_size": 16},
    milder="lower lr or epochs",
    summary="increase the loss on the forget set",
    cite="Graves, Nagisetty and Ganesh, Amnesiac Machine Learning, AAAI 2021; "
    "Thudi et al., Unrolling SGD, EuroS&P 2022",
)
