"""Redirection: what is asked for as the forgotten class becomes another class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError
from expunge.methods.labels import OtherLabelsConfig, fit_other_labels
from expunge.methods.method import Method, Range
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Split


@dataclass(frozen=True, kw_only=True)
class RedirectConfig(OtherLabelsConfig):
    """Settings of redirection."""

    to: int | None = None
    """The class that forgotten samples are redirected to; default: to the next class that is not
    forgotten, the first after the last."""

    def __post_init__(self) -> None:
        if self.to is not None:
            check_range("to", self.to, 0, None)
        super().__post_init__()


def redirect(model: nn.Module, split: Split, config: RedirectConfig, context: Context) -> nn.Module:
    """A copy of `model`, trained to treat the forget set as samples of the class `to`.

    It descends mean ℓ(x, to) over the forget set + α mean ℓ(x, y) over the retained samples. A
    model that generates should give for (x_t, y) what the original gives for (x_t, to): Kumari et
    al. 2023, equation 5, with the images of the forget set.

    Raises:
        ConfigError: `to` is not a class, or a forgotten one.
        DivergedError: the loss is no longer finite.
    """
    labels = redirected(split, config.to)
    return fit_other_labels(model, split, labels, config, context, label="redirect")


def redirected(split: Split, to: int | None) -> Tensor:
    """Labels `(N,)` of all training samples, with those to forget redirected.

    Raises:
        ConfigError: `to` is not a class, or a forgotten one; or every class is forgotten.
    """
    classes = split.train.num_classes
    labels = split.train.labels.clone()
    forgotten = set(split.classes)
    if to is not None:
        if to >= classes:
            raise ConfigError(f"to must be a class in 0..{classes - 1}, got {to}")
        if to in forgotten or bool((labels[split.forget] == to).all()):
            raise ConfigError(f"to must be a class that is not forgotten, got {to}")
        labels[split.forget] = to
        return labels
    for label in sorted(set(labels[split.forget].tolist())):
        others = ((label + step) % classes for step in range(1, classes))
        aim = next((each for each in others if each not in forgotten), None)
        if aim is None:
            raise ConfigError("every class is forgotten: there is none to redirect to")
        chosen = split.forget[split.train.labels[split.forget] == label]
        labels[chosen] = aim
    return labels


METHOD = Method(
    name="redirect",
    run=redirect,
    config=RedirectConfig,
    reads=frozenset({"forget", "retain"}),
    tasks=frozenset({"classify", "generate"}),
    search={"lr": Range(1e-4, 1e-1, log=True), "alpha": Range(0.1, 10, log=True)},
    example={"epochs": 2, "lr": 0.02, "batch_size": 16},
    milder="lower lr or epochs, or raise alpha",
    summary="make the forgotten class give what another class gives",
    cite="Kumari et al., Ablating Concepts in Text-to-Image Diffusion Models, ICCV 2023; Gandikota "
    "et al., Erasing Concepts from Diffusion Models, ICCV 2023",
)
