"""A class-conditional U-Net for diffusion (Ho et al. 2020), built with the library `diffusers`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from expunge.batch import Batch
from expunge.errors import ModelError
from expunge.models.spec import ModelSpec
from expunge.tasks.generate import CONDITION, NOISY, STEP, diffusers_library

_GROUPS = 8
"""Channels of every layer are a multiple of it: group norms take so many groups."""


def unet(spec: ModelSpec) -> nn.Module:
    """A U-Net that tells the noise in an image of a class.

    It has 16 channels times `width` at first, rounded to a multiple of 8. Images below 32 pixels
    get two levels with one block each, without attention: about 0.16 million parameters. Larger
    ones get four levels with two blocks each, and attention at the second, which at width 8 is the
    network of Ho et al. for CIFAR-10.

    Raises:
        ModelError: the library is not installed, the spec has a stem or a normalisation, or the
            sides of images cannot be halved often enough.
    """
    library = diffusers_library("the network unet")
    if spec.stem != "cifar" or spec.mean is not None:
        raise ModelError(
            "'unet' has no stem and takes images as they are: leave stem, normalise, mean and std "
            "out"
        )
    sides = spec.image_size or (32, 32)
    small = min(sides) < 32
    levels = 2 if small else 4
    if any(side % 2 ** (levels - 1) for side in sides):
        raise ModelError(
            f"'unet' halves images {levels - 1} time{'s' * (levels > 2)}: expected sides that are "
            f"multiples of {2 ** (levels - 1)}, got {sides[0]}x{sides[1]}"
        )
    first = _GROUPS * max(1, round(16 * spec.width / _GROUPS))
    down, up = ["DownBlock2D"] * levels, ["UpBlock2D"] * levels
    if not small:
        down[1], up[-2] = "AttnDownBlock2D", "AttnUpBlock2D"
    network = library.UNet2DModel(
        sample_size=sides,
        in_channels=spec.in_channels,
        out_channels=spec.in_channels,
        block_out_channels=(first, *[2 * first] * (levels - 1)),
        layers_per_block=1 if small else 2,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        add_attention=not small,
        attention_head_dim=_GROUPS,
        norm_num_groups=_GROUPS,
        num_class_embeds=spec.num_classes,
    )
    return Denoiser(network)


class Denoiser(nn.Module):
    """A U-Net of the library on the inputs of the task `generate`."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, inputs: Batch) -> Tensor:
        """The noise `(B, C, H, W)` in the images `noisy` of classes `condition` at `step`."""
        if not isinstance(inputs, dict):
            raise TypeError("expected noisy images with their steps and classes")
        noise: Tensor = self.unet(
            inputs[NOISY], inputs[STEP], class_labels=inputs[CONDITION], return_dict=False
        )[0]
        return noise
