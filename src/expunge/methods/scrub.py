"""SCRUB: a student matches its teacher on retained samples, and departs from it on the others."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from expunge.errors import ConfigError
from expunge.methods.method import Method, Range
from expunge.methods.sgd import SGDConfig
from expunge.settings import Training, check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.training.step import Step
    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class ScrubConfig(SGDConfig):
    """Settings of SCRUB, with commonly used defaults."""

    alpha: float = 0.5
    """Weight α of the divergence from the teacher on the retained samples."""
    gamma: float = 1.0
    """Weight γ of the task loss on the retained samples."""
    temperature: float = 4.0
    """Softens both predictions; divergences are multiplied by its square."""
    max_epochs: int = 3
    """Number of first epochs that start with a pass over the forget set, away from the teacher."""
    lr: float = 5e-4
    """Initial learning rate."""
    milestones: tuple[int, ...] = (3, 5, 9)
    """Epochs at which the learning rate is multiplied by 0.1."""
    batch_size: int = 128
    """Retained samples per step."""
    forget_batch_size: int = 32
    """Forget samples per step."""

    def __post_init__(self) -> None:
        for name in ("alpha", "gamma", "temperature", "max_epochs"):
            check_range(name, getattr(self, name), 0, None)
        if self.temperature == 0:
            raise ConfigError("temperature must be more than 0, got 0")
        check_range("forget_batch_size", self.forget_batch_size, 1, None)
        super().__post_init__()

    def training(self) -> Training:
        """These settings as `Training`, which validates them."""
        return replace(super().training(), schedule="milestones", milestones=self.milestones)


def scrub(model: nn.Module, split: Split, config: ScrubConfig, context: Context) -> nn.Module:
    """A copy of `model` after SGD on two alternating losses, with `model` as the teacher.

    Let d = T² KL(teacher ‖ student) at temperature T. Each of the first `max_epochs` epochs starts
    with a pass that increases mean d(forget). Every epoch then decreases mean α d(retain) +
    γ ℓ(retain). SCRUB of Kurmanji et al. 2023.

    Raises:
        DivergedError: the loss is no longer finite.
    """
    from expunge.training.fit import fit
    from expunge.training.step import Phase
    from expunge.training.streams import Stream

    def divergence(step: Step) -> Tensor:
        student, teacher = step.outputs(), step.teacher("original")
        found = step.task.divergence(student, teacher, config.temperature)
        return config.temperature**2 * found

    def leave(step: Step) -> Tensor:
        return -divergence(step)

    def follow(step: Step) -> Tensor:
        return config.alpha * divergence(step) + config.gamma * step.losses()

    streams = {
        "retain": Stream(split.train, split.retain),
        "forget": Stream(split.train, split.forget, config.forget_batch_size),
    }
    forget, retain = Phase("forget", leave), Phase("retain", follow)
    first = min(config.max_epochs, config.epochs)
    phases = [[forget, retain]] * first + [[retain]] * (config.epochs - first)
    student = copy.deepcopy(model)
    teachers = {"original": model}
    fit(student, streams, phases, config.training(), context, label="scrub", teachers=teachers)
    return student


METHOD = Method(
    name="scrub",
    run=scrub,
    config=ScrubConfig,
    reads=frozenset({"forget", "retain"}),
    tasks=frozenset({"classify", "generate"}),
    search={"lr": Range(1e-5, 1e-2, log=True), "alpha": Range(1e-3, 10, log=True)},
    example={
        "max_epochs": 1,
        "epochs": 2,
        "lr": 0.02,
        "milestones": [1],
        "batch_size": 16,
        "forget_batch_size": 5,
    },
    milder="lower lr or alpha",
    summary="depart from the teacher on the forget set, match it on the retained samples",
    cite="Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023",
)
