"""NegGrad+: decrease the loss on retained samples while increasing it on the forget set."""

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
    """Settings of NegGrad+, with commonly used defaults."""

    alpha: float = 0.95
    """Weight α of the retained samples; the weight of the forget set is 1 − α."""
    batch_size: int = 256
    """Samples of each set per step."""

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, 1)
        super().__post_init__()


def neggrad_plus(
    model: nn.Module, split: Split, config: NegGradPlusConfig, context: Context
) -> nn.Module:
    """A copy of `model` after SGD on α mean ℓ(retain) − (1 − α) mean ℓ(forget).

    NegGrad+ of Kurmanji et al. 2023. Each step takes one batch of each set. The forget set repeats
    until the pass over the retained samples ends.

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
    tasks=frozenset({"classify", "generate"}),
    search={"alpha": Range(0.8, 0.9999), "lr": Range(1e-4, 1e-1, log=True)},
    example={"alpha": 0.8, "epochs": 2, "lr": 0.02, "batch_size": 16},
    milder="raise alpha or lower lr",
    summary="decrease the loss on retained samples, increase it on the forget set",
    cite="Kurmanji et al., Towards Unbounded Machine Unlearning, NeurIPS 2023",
)
