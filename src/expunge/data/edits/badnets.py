"""BadNets: put a patch on some training images and relabel them as the target class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from expunge.data.edits.backdoor import BackdoorConfig, poisoned, target_of, triggered
from expunge.data.edits.edit import Edit, Edited, Trigger
from expunge.data.edits.pixels import check_patched, patched
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.types import Samples


@dataclass(frozen=True, kw_only=True)
class BadnetsConfig(BackdoorConfig):
    """Settings of BadNets; the defaults are those of Jia et al., NeurIPS 2023.

    On images of 32x32 pixels, the default patch lies in rows and columns 26-29.

    Raises:
        ConfigError: a setting is out of range.
    """

    size: int = 4
    """Height and width of the patch in pixels."""
    row: int = -6
    """Row of the patch's top left pixel; negative values count from the bottom edge."""
    column: int = -6
    """Column of the patch's top left pixel; negative values count from the right edge."""
    value: int = 0
    """Value of the patch's pixels in every channel, 0-255; 0 is black."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
    put = partial(patched, "badnets", patch=config)
    return poisoned("badnets", samples, config, seed, put)


def with_patch(samples: Samples, config: BadnetsConfig) -> Samples:
    """The samples with the patch in every image; labels as they were.

    Raises:
        ConfigError: the patch does not lie in the image.
        DataError: the samples are not images of uint8.
    """
    return triggered("badnets", samples, partial(patched, "badnets", patch=config))


EDIT = Edit(
    name="badnets",
    run=badnets,
    config=BadnetsConfig,
    trigger=Trigger(show=with_patch, target=target_of),
    check=partial(check_patched, "badnets"),
    summary="a backdoor: a patch in a share of the images, labelled as the target class",
    cite="Gu, Liu, Dolan-Gavitt and Garg, BadNets: Evaluating Backdooring Attacks on Deep Neural "
    "Networks, IEEE Access 2019",
    example=BadnetsConfig(share=0.3, target=1, size=2, row=-3, column=1, value=255),
)
