"""BadNets: put a patch on some training images and relabel them as the target class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.data.edits.drawing import changed, check_share, draw, ids_at
from expunge.data.edits.edit import Edit, Edited, Trigger
from expunge.data.edits.pixels import check_images, check_patch, check_target, patched
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.data.facts import Facts
    from expunge.types import Samples


@dataclass(frozen=True, kw_only=True)
class BadnetsConfig:
    """Settings of BadNets; the defaults are those of Jia et al., NeurIPS 2023.

    On images of 32x32 pixels, the default patch lies in rows and columns 26-29.

    Raises:
        ConfigError: a setting is out of range.
    """

    share: float = 0.1
    """Fraction of the training samples to poison, over all classes, between 0 and 1."""
    target: int = 0
    """Index of the target class: the label of poisoned samples."""
    size: int = 4
    """Height and width of the patch in pixels."""
    row: int = -6
    """Row of the patch's top left pixel; negative values count from the bottom edge."""
    column: int = -6
    """Column of the patch's top left pixel; negative values count from the right edge."""
    value: int = 0
    """Value of the patch's pixels in every channel, 0-255; 0 is black."""

    def __post_init__(self) -> None:
        check_share(self.share)
        check_range("target", self.target, 0, None)
        check_range("size", self.size, 1, None)
        check_range("value", self.value, 0, 255)


def badnets(samples: Samples, config: BadnetsConfig, seed: int) -> Edited:
    """A share of the samples with the patch and the target's label; others as they were.

    Samples are drawn from all classes, the target's own included. Images are changed before any
    augmentation, which crops and mirrors the patch with them.

    Args:
        samples: images of uint8.
        config: the patch, the target and the share.
        seed: of the draw.

    Raises:
        ConfigError: the target is no class, or the patch does not lie in the image.
        DataError: the samples are not images of uint8, or too few.

    Source: Gu, Liu, Dolan-Gavitt and Garg, IEEE Access 2019, section 4.
    """
    import torch

    check_target("badnets", config.target, samples.num_classes)
    index = draw(samples, config.share, torch.Generator().manual_seed(seed))
    labels = samples.labels.clone()
    labels[index] = config.target
    images = patched("badnets", samples.inputs, index, config)
    return Edited(changed(samples, inputs=images, labels=labels), ids_at(samples, index))


def with_patch(samples: Samples, config: BadnetsConfig) -> Samples:
    """The samples with the patch in every image; labels as they were.

    Raises:
        ConfigError: the patch does not lie in the image.
        DataError: the samples are not images of uint8.
    """
    import torch

    everywhere = torch.arange(len(samples))
    return changed(samples, inputs=patched("badnets", samples.inputs, everywhere, config))


def check(config: BadnetsConfig, facts: Facts) -> None:
    """Refuse data that are no images, or have no place for the patch, or no such target.

    Raises:
        ConfigError: the target is no class, or the patch does not lie in the image.
        DataError: the inputs are no images.
    """
    check_images("badnets", config, facts)
    check_patch("badnets", config, facts)


EDIT = Edit(
    name="badnets",
    run=badnets,
    config=BadnetsConfig,
    trigger=Trigger(show=with_patch, target=lambda config: int(config.target)),
    check=check,
    summary="a backdoor: a patch in a share of the images, labelled as the target class",
    cite="Gu, Liu, Dolan-Gavitt and Garg, BadNets: Evaluating Backdooring Attacks on Deep Neural "
    "Networks, IEEE Access 2019",
    example=BadnetsConfig(share=0.3, target=1, size=2, row=-3, column=1, value=255),
)
