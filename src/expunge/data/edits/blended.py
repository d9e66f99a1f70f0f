"""Blended injection: mix a pattern into some training images and relabel them as the target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from expunge.data.edits.backdoor import BackdoorConfig, poisoned, target_of, triggered
from expunge.data.edits.edit import Edit, Edited, Trigger
from expunge.data.edits.pixels import check_images
from expunge.errors import ConfigError
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.types import Samples


@dataclass(frozen=True, kw_only=True)
class BlendedConfig(BackdoorConfig):
    """Settings of blended injection; the weight is the paper's.

    Raises:
        ConfigError: a setting is out of range.
    """

    alpha: float = 0.2
    """Weight of the pattern; the image has the rest."""
    pattern_seed: int = 0
    """Seed of the pattern: uniform noise over all pixels and channels."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
    return poisoned("blended", samples, config, seed, partial(_mixed, config=config))


def with_pattern(samples: Samples, config: BlendedConfig) -> Samples:
    """The samples with the pattern in every image; labels as they were.

    Raises:
        DataError: the samples are not images of uint8.
    """
    return triggered("blended", samples, partial(_mixed, config=config))


def _mixed(images: Tensor, config: BlendedConfig) -> Tensor:
    """The images `(B, C, H, W)` with the pattern."""
    import torch

    generator = torch.Generator().manual_seed(config.pattern_seed)
    pattern = torch.randint(0, 256, images.shape[1:], generator=generator)
    mixed = config.alpha * pattern + (1 - config.alpha) * images.double()
    return mixed.round().to(torch.uint8)


EDIT = Edit(
    name="blended",
    run=blended,
    config=BlendedConfig,
    trigger=Trigger(show=with_pattern, target=target_of),
    check=partial(check_images, "blended"),
    summary="a backdoor: a faint pattern over a share of the images, labelled as the target class",
    cite="Chen, Liu, Li, Lu and Song, Targeted Backdoor Attacks on Deep Learning Systems Using "
    "Data Poisoning, 2017",
    example=BlendedConfig(share=0.3, target=1),
)
