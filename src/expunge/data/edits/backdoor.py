"""What edits that plant a backdoor share: a share of the images gets a trigger and the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from expunge.data.edits.drawing import changed, check_share, draw, ids_at
from expunge.data.edits.edit import Edited
from expunge.data.edits.pixels import check_target, with_change
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.types import Samples

Put: TypeAlias = "Callable[[Tensor], Tensor]"
"""Images with the trigger in each, uint8 `(B, C, H, W)`, from images of the same kind."""


@dataclass(frozen=True, kw_only=True)
class BackdoorConfig:
    """Settings of every backdoor.

    Raises:
        ConfigError: a setting is out of range.
    """

    share: float = 0.1
    """Fraction of the training samples to poison, over all classes, between 0 and 1."""
    target: int = 0
    """Index of the target class: the label of poisoned samples."""

    def __post_init__(self) -> None:
        check_share(self.share)
        check_range("target", self.target, 0, None)


def poisoned(edit: str, samples: Samples, config: BackdoorConfig, seed: int, put: Put) -> Edited:
    """A share of the samples with the trigger and the target's label; others as they were.

    Samples are drawn from all classes, the target's own included. Images are changed before any
    augmentation, which crops and mirrors the trigger with them.

    Raises:
        ConfigError: the target is no class, or `put` refuses the images.
        DataError: the samples are not images of uint8, or too few.
    """
    import torch

    check_target(edit, config.target, samples.num_classes)
    index = draw(samples, config.share, torch.Generator().manual_seed(seed))
    labels = samples.labels.clone()
    labels[index] = config.target
    images = with_change(edit, samples.inputs, index, put)
    return Edited(changed(samples, inputs=images, labels=labels), ids_at(samples, index))


def triggered(edit: str, samples: Samples, put: Put) -> Samples:
    """The samples with the trigger in every image; labels as they were.

    Raises:
        ConfigError: `put` refuses the images.
        DataError: the samples are not images of uint8.
    """
    import torch

    everywhere = torch.arange(len(samples))
    return changed(samples, inputs=with_change(edit, samples.inputs, everywhere, put))


def target_of(config: BackdoorConfig) -> int:
    """The target class of a backdoor."""
    return int(config.target)
