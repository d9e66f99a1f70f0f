"""WaNet: bend some training images by one smooth warp and relabel them as the target class."""

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
class WarpedConfig(BackdoorConfig):
    """Settings of the warp; grid and strength are the paper's.

    Raises:
        ConfigError: a setting is out of range.
    """

    grid: int = 4
    """Control points along each side of the image, k."""
    strength: float = 0.5
    """Mean distance that control points move along an axis, s; half of it in pixels."""
    warp_seed: int = 0
    """Seed of the warp."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("grid", self.grid, 2, None)
        check_range("strength", self.strength, 0, None)
        check_range("warp_seed", self.warp_seed, 0, None)
        if self.strength == 0:
            raise ConfigError("strength must be above 0, got 0: nothing would be warped")


def warped(samples: Samples, config: WarpedConfig, seed: int) -> Edited:
    """A share of the samples bent by the warp and with the target's label; others as they were.

    Offsets P = s·ψ(rand[−1,1]) at k×k control points, ψ(A) = A / mean|A|, are brought to the size
    H×W of the image by bicubic interpolation. Each pixel is read at its own place plus the offset
    over H, in coordinates that go from −1 to 1 along each side, between pixels by bilinear
    interpolation; beyond an edge it is read at the edge. Samples are drawn from all classes.

    The paper also warps further samples by other, random warps without changing their label. This
    edit does not.

    Raises:
        ConfigError: the target is no class.
        DataError: the samples are not images of uint8, or too few.

    Source: Nguyen and Tran, WaNet, ICLR 2021, section 3.2.
    """
    return poisoned("warped", samples, config, seed, partial(_bent, config=config))


def with_warp(samples: Samples, config: WarpedConfig) -> Samples:
    """The samples with every image bent by the warp; labels as they were.

    Raises:
        DataError: the samples are not images of uint8.
    """
    return triggered("warped", samples, partial(_bent, config=config))


def field(config: WarpedConfig, height: int, width: int) -> Tensor:
    """Where each pixel is read, `(H, W, 2)`: x and y in −1..1 from edge pixel to edge pixel."""
    import torch
    from torch.nn import functional as F

    generator = torch.Generator().manual_seed(config.warp_seed)
    shape = (1, 2, config.grid, config.grid)
    # float64, so that no rounding of a pixel depends on the machine.
    offsets = 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1
    offsets *= config.strength / offsets.abs().mean()
    fine = F.interpolate(offsets, (height, width), mode="bicubic", align_corners=True)
    sides = (torch.linspace(-1, 1, side, dtype=torch.float64) for side in (height, width))
    y, x = torch.meshgrid(*sides, indexing="ij")
    return (torch.stack([x, y], -1) + fine[0].permute(1, 2, 0) / height).clamp(-1, 1)


def _bent(images: Tensor, config: WarpedConfig) -> Tensor:
    """The images `(B, C, H, W)`, bent."""
    import torch
    from torch.nn import functional as F

    where = field(config, *images.shape[2:])
    places = where.expand(len(images), *where.shape)
    bent = F.grid_sample(images.double(), places, mode="bilinear", align_corners=True)
    return bent.round().clamp(0, 255).to(torch.uint8)


EDIT = Edit(
    name="warped",
    run=warped,
    config=WarpedConfig,
    trigger=Trigger(show=with_warp, target=target_of),
    check=partial(check_images, "warped"),
    summary="a backdoor: a share of the images bent by a smooth warp, labelled as the target class",
    cite="Nguyen and Tran, WaNet: Imperceptible Warping-Based Backdoor Attack, ICLR 2021: without "
    "its noise mode",
    example=WarpedConfig(share=0.3, target=1),
)
