"""Wrong labels: give some training samples the label of another class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.data.edits.drawing import changed, check_share, draw, ids_at
from expunge.data.edits.edit import Edit, Edited
from expunge.errors import DataError

if TYPE_CHECKING:
    from expunge.types import Samples


@dataclass(frozen=True, kw_only=True)
class RelabelConfig:
    """Settings of wrong labels.

    Raises:
        ConfigError: the share is not between 0 and 1.
    """

    share: float = 0.1
    """Fraction of the training samples to relabel, over all classes, between 0 and 1."""

    def __post_init__(self) -> None:
        check_share(self.share)


def relabel(samples: Samples, config: RelabelConfig, seed: int) -> Edited:
    """A share of the samples with the label of another class, each as likely; inputs are shared.

    Raises:
        DataError: there is one class only, or too few samples.

    Source: Angluin and Laird, Machine Learning 1988: classification noise.
    """
    import torch

    classes = samples.num_classes
    if classes < 2:
        raise DataError(f"relabel needs another class to choose, got {classes}")
    generator = torch.Generator().manual_seed(seed)
    index = draw(samples, config.share, generator)
    # 1 to classes−1 further on, modulo the classes: every other class once.
    steps = torch.randint(1, classes, (len(index),), generator=generator)
    labels = samples.labels.clone()
    labels[index] = (labels[index] + steps) % classes
    return Edited(changed(samples, labels=labels), ids_at(samples, index))


EDIT = Edit(
    name="relabel",
    run=relabel,
    config=RelabelConfig,
    summary="wrong labels: a share of the samples is labelled as another class",
    cite="Angluin and Laird, Learning From Noisy Examples, Machine Learning 1988",
)
