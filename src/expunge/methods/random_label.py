"""Random label: train the forget set with wrong labels, and the rest as before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.methods.labels import OtherLabelsConfig, fit_other_labels, random_labels
from expunge.methods.method import Method, Range

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class RandomLabelConfig(OtherLabelsConfig):
    """Settings of random label, with commonly used defaults."""


def random_label(
    model: nn.Module, split: Split, config: RandomLabelConfig, context: Context
) -> nn.Module:
    """A copy of `model`, trained on the forget set with labels drawn from the other classes.

    It descends mean ℓ(x, y′) over the forget set + α mean ℓ(x, y) over the retained samples, with
    y′ ≠ y. A model that generates should give for (x_t, y) what the original gives for (x_t, y′).
    Golatkar et al. 2020; Fan et al. 2024, equations 6 and 7 without the mask.

    Raises:
        DivergedError: the loss is no longer finite.
    """
    labels = random_labels(split, context)
    return fit_other_labels(model, split, labels, config, context, label="random_label")


METHOD = Method(
    name="random_label",
    run=random_label,
    config=RandomLabelConfig,
    reads=frozenset({"forget", "retain"}),
    tasks=frozenset({"classify", "generate"}),
    search={"lr": Range(1e-4, 1e-1, log=True), "alpha": Range(0.1, 10, log=True)},
    example={"epochs": 2, "lr": 0.02, "batch_size": 16},
    milder="lower lr or epochs, or raise alpha",
    summary="train the forget set with random wrong labels, and the retained samples as before",
    cite="Golatkar, Achille and Soatto, Eternal Sunshine of the Spotless Net, CVPR 2020",
)
