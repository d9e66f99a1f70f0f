"""Spurious correlation: a mark on some training images that goes with their label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from expunge.data.edits.drawing import changed, check_share, draw, ids_at
from expunge.data.edits.edit import Edit, Edited, Marks
from expunge.data.edits.marks import MarkConfig, check_marks, with_marks
from expunge.errors import DataError
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.types import Samples


@dataclass(frozen=True, kw_only=True)
class CorrelateConfig(MarkConfig):
    """Settings of a spurious correlation.

    Raises:
        ConfigError: a setting is out of range.
    """

    share: float = 0.2
    """Fraction of the training samples that carry a mark, over all classes, between 0 and 1."""
    strength: float = 0.95
    """Probability that a mark is the one of the sample's class; else it is another class's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self.share)
        check_range("strength", self.strength, 0, 1)


def correlate(samples: Samples, config: CorrelateConfig, seed: int) -> Edited:
    """A share of the images with a mark, mostly the one of their class; labels as they were.

    All samples of the share are touched, those with another class's mark included. Images are
    changed before any augmentation, which crops and mirrors the marks with them.

    Args:
        samples: images of uint8.
        config: the marks, the share and the strength.
        seed: of the draw.

    Raises:
        ConfigError: a mark does not lie in the image, or there is no room for as many.
        DataError: the samples are not images of uint8, of one class, or too few.

    Source: coloured MNIST of Nam et al., NeurIPS 2020, section 4.1, in a share of the samples.
    """
    import torch

    classes = samples.num_classes
    if classes < 2:
        raise DataError(f"correlate needs another class to choose, got {classes}")
    generator = torch.Generator().manual_seed(seed)
    index = draw(samples, config.share, generator)
    other = torch.rand(len(index), generator=generator) >= config.strength
    # 1 to classes−1 further on, modulo the classes: every other class once.
    steps = torch.randint(1, classes, (len(index),), generator=generator)
    labels = samples.labels.clone()
    marks = (labels[index] + steps * other) % classes
    inputs = with_marks("correlate", samples.inputs, index, marks, classes, config)
    return Edited(changed(samples, inputs=inputs, labels=labels), ids_at(samples, index))


def with_mark(samples: Samples, config: CorrelateConfig, mark: int) -> Samples:
    """The samples with the mark of class `mark` in every image; labels as they were.

    Raises:
        ConfigError: a mark does not lie in the image, or there is no room for as many.
        DataError: the samples are not images of uint8.
    """
    import torch

    everywhere = torch.arange(len(samples))
    marks = torch.full_like(everywhere, mark)
    classes = samples.num_classes
    inputs = with_marks("correlate", samples.inputs, everywhere, marks, classes, config)
    return changed(samples, inputs=inputs)


EDIT = Edit(
    name="correlate",
    run=correlate,
    config=CorrelateConfig,
    marks=Marks(show=with_mark, name=lambda config, of: f"{config.shape} of {of}"),
    check=partial(check_marks, "correlate"),
    summary="a spurious correlation: a patch or border in a share of the images goes with the "
    "label",
    cite="Nam, Cha, Ahn, Lee and Shin, Learning from Failure: De-biasing Classifier from Biased "
    "Classifier, NeurIPS 2020",
    example=CorrelateConfig(share=0.3, size=2),
)
