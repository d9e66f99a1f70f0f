"""A clean-label backdoor: put a patch on some images of the target class, and change no label."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from expunge.data.edits.backdoor import target_of, triggered
from expunge.data.edits.badnets import BadnetsConfig
from expunge.data.edits.drawing import changed, draw_from, ids_at
from expunge.data.edits.edit import Edit, Edited, Trigger
from expunge.data.edits.pixels import check_patched, check_target, patched, with_change

if TYPE_CHECKING:
    from expunge.types import Samples


@dataclass(frozen=True, kw_only=True)
class CleanLabelPatchConfig(BadnetsConfig):
    """Settings of a clean-label backdoor; the patch is that of BadNets.

    Raises:
        ConfigError: a setting is out of range.
    """

    share: float = 0.1
    """Fraction of the target class's training samples to poison, between 0 and 1."""
    target: int = 0
    """Index of the target class, whose samples are poisoned."""


def clean_label_patch(samples: Samples, config: CleanLabelPatchConfig, seed: int) -> Edited:
    """A share of the target class's samples with the patch; all labels as they were.

    The paper makes these images harder first, by adversarial perturbation or by interpolation, so
    that a network relies on the patch. This edit does not: it is the paper's baseline, and weaker.

    Raises:
        ConfigError: the target is no class, or the patch does not lie in the image.
        DataError: the samples are not images of uint8, or too few are of the target class.

    Source: Turner, Tsipras and Mądry, Label-Consistent Backdoor Attacks, 2019, section 3.
    """
    import torch

    check_target("clean_label_patch", config.target, samples.num_classes)
    candidates = (samples.labels == config.target).nonzero().flatten()
    index = draw_from(candidates, config.share, torch.Generator().manual_seed(seed))
    put = partial(patched, "clean_label_patch", patch=config)
    images, labels = with_change("clean_label_patch", samples.inputs, index, put), samples.labels
    return Edited(changed(samples, inputs=images, labels=labels.clone()), ids_at(samples, index))


def with_patch(samples: Samples, config: CleanLabelPatchConfig) -> Samples:
    """The samples with the patch in every image; labels as they were.

    Raises:
        ConfigError: the patch does not lie in the image.
        DataError: the samples are not images of uint8.
    """
    put = partial(patched, "clean_label_patch", patch=config)
    return triggered("clean_label_patch", samples, put)


EDIT = Edit(
    name="clean_label_patch",
    run=clean_label_patch,
    config=CleanLabelPatchConfig,
    trigger=Trigger(show=with_patch, target=target_of),
    check=partial(check_patched, "clean_label_patch"),
    summary="a backdoor: a patch in a share of the target class's images, without a wrong label",
    cite="Turner, Tsipras and Mądry, Label-Consistent Backdoor Attacks, 2019: its baseline, "
    "without adversarial perturbation",
    example=CleanLabelPatchConfig(share=0.4, target=1, size=2, row=-3, column=1, value=255),
)
