"""Random crop and flip of a whole batch at once, on its device.

Drawing and applying are separate: processes that share a batch all draw for the whole batch, and
each changes its own images.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from expunge.settings import Augmentation


@dataclass(frozen=True, eq=False)
class Changes:
    """The changes to each image of a batch; None means no change of this kind."""

    mirrored: Tensor | None
    """bool `(B,)`: which images are mirrored left to right."""
    offsets: Tensor | None
    """int64 `(2, B)`: the row and the column of the padded image where the window starts."""
    padding: int
    """Zero pixels on every side of the padded image."""

    def take(self, images: slice) -> "Changes":
        """The changes to some of the images."""
        return Changes(
            None if self.mirrored is None else self.mirrored[images],
            None if self.offsets is None else self.offsets[:, images],
            self.padding,
        )


def draw_changes(augmentation: Augmentation, count: int, generator: torch.Generator) -> Changes:
    """Changes to `count` images, drawn on the generator's device.

    Draws one mirror per image, then a row and a column offset per image; the same generator state
    gives the same result. If there is nothing to change, nothing is drawn.
    """
    mirrored = offsets = None
    padding = augmentation.crop_padding
    device = generator.device
    if augmentation.flip:
        mirrored = torch.rand(count, generator=generator, device=device) < 0.5
    if padding:
        offsets = torch.randint(0, 2 * padding + 1, (2, count), generator=generator, device=device)
    return Changes(mirrored, offsets, padding)


def augment(images: Tensor, changes: Changes) -> Tensor:
    """Images `(B, C, H, W)`, some mirrored, then padded with zeros and cropped back.

    dtype, device and memory format are kept. Without changes, the input itself is returned.
    """
    if changes.mirrored is None and changes.offsets is None:
        return images
    channels_last = not images.is_contiguous() and images.is_contiguous(
        memory_format=torch.channels_last
    )
    # As planes of pixels of several numbers, (B, P, H, W, S), both layouts are contiguous:
    # channels-first has P = C and S = 1, channels-last P = 1 and S = C.
    if channels_last:
        pixels = images.permute(0, 2, 3, 1).unsqueeze(1)
    else:
        pixels = images.contiguous().unsqueeze(4)
    if changes.mirrored is not None:
        pixels = _flip(pixels, changes.mirrored)
    if changes.offsets is not None:
        pixels = _crop(pixels, changes.padding, changes.offsets)
    return pixels.squeeze(1).permute(0, 3, 1, 2) if channels_last else pixels.squeeze(4)


def _flip(pixels: Tensor, mirrored: Tensor) -> Tensor:
    """Pixels `(B, P, H, W, S)`, those of the `mirrored` images mirrored in W."""
    batch = len(pixels)
    chosen = torch.arange(batch, device=mirrored.device) + batch * mirrored
    both = torch.cat([pixels, pixels.flip(3)])
    return both.index_select(0, chosen.to(pixels.device, non_blocking=True))


def _crop(pixels: Tensor, padding: int, offsets: Tensor) -> Tensor:
    """Pixels `(B, P, H, W, S)`, padded in H and W and cropped at each image's offset.

    A window of a padded image is a run of its flattened numbers: it starts at the offset, and its
    rows are one padded width apart. So one contiguous copy per image cuts every window.
    """
    _, planes, height, width, step = pixels.shape
    padded = F.pad(pixels, (0, 0, padding, padding, padding, padding)).flatten(1)
    row = (width + 2 * padding) * step
    plane = (height + 2 * padding) * row
    start = (offsets[0] * row + offsets[1] * step).to(pixels.device, non_blocking=True)
    run = (planes - 1) * plane + (height - 1) * row + width * step
    # On the CPU, selecting copies run by run, many times faster than indexing does; elsewhere it
    # may write the overlapping runs out in full first.
    cut = _select_runs if pixels.device.type == "cpu" else _index_runs
    strides = (run, plane, row, step, 1)
    return cut(padded, start, run).as_strided(pixels.shape, strides).contiguous()


def _select_runs(padded: Tensor, start: Tensor, run: int) -> Tensor:
    """`run` numbers of every row of `padded`, from its `start`, `(B, run)`."""
    rows = torch.arange(len(padded), device=padded.device) * padded.shape[1]
    return padded.flatten().unfold(0, run, 1).index_select(0, rows + start)


def _index_runs(padded: Tensor, start: Tensor, run: int) -> Tensor:
    """The same as `_select_runs`, by advanced indexing."""
    return padded.unfold(1, run, 1)[torch.arange(len(padded), device=padded.device), start]
