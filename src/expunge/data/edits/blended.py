"""Blended injection: mix a pattern into some training images and relabel them as the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.data.edits.drawing import changed, check_share, draw, ids_at
from expunge.data.edits.edit import Edit, Edited, Trigger
from expunge.data.edits.pixels import check_images, check_target, pixels_of
from expunge.errors import ConfigError
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.facts import Facts
    from expunge.types import Inputs, Samples


@dataclass(frozen=True, kw_only=True)
class BlendedConfig:
    """Settings of blended injection; the weight is the paper's.

    Raises:
        ConfigError: a setting is out of range.
    """

    share: float = 0.1
    """Fraction of the training samples to poison, over all classes, between 0 and 1."""
    target: int = 0
    """Index of the target class: the label of poisoned samples."""
    alpha: float = 0.2
    """Weight of the pattern; the image has the rest."""
    pattern_seed: int = 0
    """Seed of the pattern: uniform noise over all pixels and channels."""

    def __post_init__(self) -> None:
        check_share(self.share)
        check_range("target", self.target, 0, None)
        check_range("alpha", self.alpha, 0, 1)
        check_range("pattern_seed", self.pattern_seed, 0, None)
        if self.alpha == 0:
            raise ConfigError("alpha must be above 0, got 0: the pattern would not be there")


def blended(samples: Samples, config: BlendedConfig, seed: int) -> Edited:
    """A share of the samples with the pattern and the target's label; others as they were.

    A pixel becomes α·k + (1−α)·x, rounded, with k the pattern's value there. Samples are drawn from
    all classes, the target's own included.

    Raises:
        ConfigError: the target is no class.
        DataError: the samples are not images of uint8, or too few.

    Source: Chen, Liu, Li, Lu and Song, Targeted Backdoor Attacks on Deep Learning Systems Using
    Data Poisoning, 2017, section 4.2: the blended injection strategy, its random pattern.
    """
    import torch

    check_target("blended", config.target, samples.num_classes)
    index = draw(samples, config.share, torch.Generator().manual_seed(seed))
    labels = samples.labels.clone()
    labels[index] = config.target
    images = _blended(samples.inputs, index, config)
    return Edited(changed(samples, inputs=images, labels=labels), ids_at(samples, index))


def with_pattern(samples: Samples, config: BlendedConfig) -> Samples:
    """The samples with the pattern in every image; labels as they were.

    Raises:
        DataError: the samples are not images of uint8.
    """
    import torch

    everywhere = torch.arange(len(samples))
    return changed(samples, inputs=_blended(samples.inputs, everywhere, config))


def _blended(inputs: Inputs, index: Tensor, config: BlendedConfig) -> Inputs:
    """Copies of all images in memory, those at `index` with the pattern."""
    import torch

    from expunge.data.inputs.images import ResidentImages

    images = pixels_of("blended", inputs)
    generator = torch.Generator().manual_seed(config.pattern_seed)
    pattern = torch.randint(0, 256, images.shape[1:], generator=generator)
    mixed = config.alpha * pattern + (1 - config.alpha) * images[index].double()
    images[index] = mixed.round().to(torch.uint8)
    return ResidentImages(images)


def check(config: BlendedConfig, facts: Facts) -> None:
    """Refuse data that are no images, or have no such target.

    Raises:
        ConfigError: the target is no class.
        DataError: the inputs are no images.
    """
    check_images("blended", config, facts)


EDIT = Edit(
    name="blended",
    run=blended,
    config=BlendedConfig,
    trigger=Trigger(show=with_pattern, target=lambda config: int(config.target)),
    check=check,
    summary="a backdoor: a faint pattern over a share of the images, labelled as the target class",
    cite="Chen, Liu, Li, Lu and Song, Targeted Backdoor Attacks on Deep Learning Systems Using "
    "Data Poisoning, 2017",
    example=BlendedConfig(share=0.3, target=1),
)
