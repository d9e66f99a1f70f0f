"""Other labels for forgotten samples, and the loop that trains on them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.methods.sgd import SGDConfig
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.training.step import Step
    from expunge.types import Context, Mask, Split


@dataclass(frozen=True, kw_only=True)
class OtherLabelsConfig(SGDConfig):
    """Settings of methods that give forgotten samples other labels."""

    alpha: float = 1.0
    """Weight α of the loss on retained samples; without it, a model forgets every class."""
    batch_size: int = 256
    """Samples of each set per step."""

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, None)
        super().__post_init__()


def random_labels(split: Split, context: Context) -> Tensor:
    """Labels `(N,)` of all training samples, those to forget with another, uniform over the others.

    One per sample and for the whole training, as in Golatkar et al. 2020.
    """
    import torch

    classes, index = split.train.num_classes, split.forget
    labels = split.train.labels.clone()
    steps = torch.randint(1, classes, (len(index),), generator=context.generator("labels"))
    labels[index] = (labels[index] + steps) % classes
    return labels


def fit_other_labels(
    model: nn.Module,
    split: Split,
    labels: Tensor,
    config: OtherLabelsConfig,
    context: Context,
    *,
    label: str,
    only: Mask | None = None,
) -> nn.Module:
    """A copy of `model` after SGD on mean ℓ(forget with `labels`) + α mean ℓ(retain).

    `labels` are of all training samples. For a task whose targets are outputs, the targets of the
    forgotten are what `model` gives with the other label. Each step takes one batch of each set;
    the forget set repeats until the pass over the retained samples ends. With `only`, weights that
    it does not keep stay as they are.

    Raises:
        DivergedError: the loss is no longer finite.
    """
    from expunge.training.fit import fit
    from expunge.training.streams import Stream

    def loss(step: Step) -> dict[str, Tensor]:
        others = labels[step.batch("forget").index].to(context.device)
        return {
            "retain": config.alpha * step.losses("retain"),
            "forget": step.losses_as(others, "original", "forget"),
        }

    streams = {
        "retain": Stream(split.train, split.retain),
        "forget": Stream(split.train, split.forget),
    }
    student = copy.deepcopy(model)
    fit(
        student,
        streams,
        loss,
        config.training(),
        context,
        label=label,
        teachers={"original": model},
        only=only,
    )
    return student
