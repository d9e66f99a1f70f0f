"""NegGrad+: descend the loss of the retained samples and climb that of the forget set at once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.methods.method import Method, Range
from expunge.methods.sgd import SGDConfig
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.training.step import Step
    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class NegGradPlusConfig(SGDConfig):
    """Settings of NegGrad+. Defaults are those in common use."""

    alpha: float = 0.95
    """Weight α of the retained samples; the forget set has 1 − α."""
    batch_size: int = 256
    """Samples of either set in one step."""

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)
        super().__post_init__()


def neggrad_plus(
    model: nn.Module, split: Split, config: NegGradPlusConfig, context: Context
) -> nn.Module:
    """A copy of `model` after SGD on α mean ℓ(retain) − (1 − α) mean ℓ(forget).

    NegGrad+ of Kurmanji et al. 2023. Every step takes a batch of each set; the forget set is gone
    through as often as the retained samples need.

    Raises:
        DivergedError: the loss is no longer finite.
    """
    from expunge.training.fit import fit
    from expunge.training.streams import Stream

    def loss(step: Step) -> dict[str, Tensor]:
        return {
            "retain": config.alpha * step.losses("retain"),
            "forget": (config.alpha - 1) * step.losses("forget"),
        }

    streams = {
        "retain": Stream(split.train, split.retain),
        "forget": Stream(split.train, split.forget),
    }
    student = copy.deepcopy(model)
    fit(student, streams, loss, config.training(), context, label="neggrad_plus")
    return student


METHOD = Method(
    name="neggrad_plus",
    run=neggrad_plus,
    config=NegGradPlusConfig,
    reads=frozenset({"forget", "retain"}),
    search={"alpha": Range(0.8, 0.9999), "lr": Range(1e-4, 1e-1, log=True)},
    example={"alpha": 0.8, "epochs": 2, "lr": 0.02, "batch_size": 16},
    summary="descend the loss of the retained samples, climb that of the forget set",
    cite="Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023",
)
