"""ℓ1-sparse unlearning: fine-tune on the retained samples with a decaying penalty γ‖θ‖₁."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from expunge.methods.fine_tuning import FineTuningConfig
from expunge.methods.method import Method, Range
from expunge.settings import check_choice, check_range
from expunge.sparsity.gamma import GammaSchedule

if TYPE_CHECKING:
    from torch import nn

    from expunge.training.fit import Penalty
    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class L1SparseConfig(FineTuningConfig):
    """Settings of ℓ1-sparse unlearning: those of FT and of the penalty."""

    gamma: float = 1e-4
    """Strength γ of the penalty on all parameters."""
    schedule: GammaSchedule = "linear_decay"
    """How γ changes over the epochs; `linear_decay` is the paper's choice."""
    form: Literal["subgradient", "proximal"] = "subgradient"
    """`subgradient` adds γ sign(θ) to gradients; `proximal` soft-thresholds, for exact zeros."""

    def __post_init__(self) -> None:
        check_range("gamma", self.gamma, 0, None)
        check_choice("schedule", self.schedule, ("linear_decay", "constant", "linear_growth"))
        check_choice("form", self.form, ("subgradient", "proximal"))
        super().__post_init__()

    def penalty(self) -> Penalty:
        """The ℓ1 penalty for the training loop."""
        from expunge.training.fit import Penalty

        return Penalty(gamma=self.gamma, schedule=self.schedule, form=self.form)


def l1_sparse(
    model: nn.Module, split: Split, config: L1SparseConfig, context: Context
) -> nn.Module:
    """A copy of `model` after SGD on L(θ; retained) + γ_t‖θ‖₁ (Jia et al. 2023, equation 3).

    Raises:
        DivergedError: the loss is no longer finite.
    """
    from expunge.training.fit import fit
    from expunge.training.step import task_loss
    from expunge.training.streams import Stream

    student = copy.deepcopy(model)
    fit(
        student,
        Stream(split.train, split.retain),
        task_loss,
        config.training(),
        context,
        label="l1_sparse",
        penalty=config.penalty(),
    )
    return student


METHOD = Method(
    name="l1_sparse",
    run=l1_sparse,
    config=L1SparseConfig,
    reads=frozenset({"retain"}),
    tasks=frozenset({"classify", "generate"}),
    search={"gamma": Range(1e-5, 1e-2, log=True), "lr": Range(1e-4, 1e-1, log=True)},
    example={"gamma": 0.01, "epochs": 2, "lr": 0.02, "batch_size": 16},
    milder="lower gamma or lr",
    summary="fine-tune on the retained samples with a decaying ℓ1 penalty",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
