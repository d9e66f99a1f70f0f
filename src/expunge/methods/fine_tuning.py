"""Fine-tuning (FT): keep training on the retained samples, so that the model forgets the rest."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from expunge.methods.method import Method, Range
from expunge.methods.sgd import SGDConfig
from expunge.settings import Training, check_choice

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig(SGDConfig):
    """Settings of FT. Defaults are the paper's."""

    lr_schedule: Literal["constant", "cosine"] = "constant"
    """`constant` (the paper's), or `cosine`, which falls to zero so that weights settle."""

    def __post_init__(self) -> None:
        check_choice("lr_schedule", self.lr_schedule, ("constant", "cosine"))
        super().__post_init__()

    def training(self) -> Training:
        """These settings as `Training`, which validates them."""
        return replace(super().training(), schedule=self.lr_schedule)


def fine_tuning(
    model: nn.Module, split: Split, config: FineTuningConfig, context: Context
) -> nn.Module:
    """A copy of `model`, trained further on the retained samples.

    Raises:
        DivergedError: the loss is no longer finite.
    """
    from expunge.training.fit import fit
    from expunge.training.step import task_loss
    from expunge.training.streams import Stream

    student = copy.deepcopy(model)
    retain = Stream(split.train, split.retain)
    fit(student, retain, task_loss, config.training(), context, label="ft")
    return student


METHOD = Method(
    name="ft",
    run=fine_tuning,
    config=FineTuningConfig,
    reads=frozenset({"retain"}),
    tasks=frozenset({"classify", "generate"}),
    search={"lr": Range(1e-4, 1e-1, log=True), "epochs": Range(1, 20, log=True)},
    example={"epochs": 2, "lr": 0.02, "batch_size": 16},
    milder="lower lr or epochs",
    summary="fine-tune on the retained samples",
    cite="Golatkar, Achille and Soatto, Eternal Sunshine of the Spotless Net, CVPR 2020; "
    "Warnecke et al., Machine Unlearning of Features and Labels, NDSS 2023",
)
