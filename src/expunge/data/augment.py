"""Random crop and flip of a whole batch at once, on the device where it lies."""

import torch
import torch.nn.functional as F
from torch import Tensor

from expunge.types import Augmentation


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Images `(B, C, H, W)`, each mirrored at random, then padded with zeros and cropped back.

    dtype, device and memory format are kept. Draws one mirror per image, then a row and a column
    offset per image; the same generator state gives the same result. Without changes to make, the
    input itself is returned and nothing is drawn.
    """
    flip, padding = augmentation.flip, augmentation.crop_padding
    if not flip and not padding:
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
    if flip:
        pixels = _flip(pixels, generator)
    if padding:
        pixels = _crop(pixels, padding, generator)
    return pixels.squeeze(1).permute(0, 3, 1, 2) if channels_last else pixels.squeeze(4)


def _flip(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Pixels `(B, P, H, W, S)`, about half of the images mirrored in W."""
    batch = len(pixels)
    mirrored = torch.rand(batch, generator=generator, device=generator.device) < 0.5
    chosen = torch.arange(batch, device=generator.device) + batch * mirrored
    both = torch.cat([pixels, pixels.flip(3)])
    return both.index_select(0, chosen.to(pixels.device, non_blocking=True))


def _crop(pixels: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Pixels `(B, P, H, W, S)`, padded in H and W and cropped at random.

    A window of a padded image is a run of its flattened numbers: it begins at the offset, and its
    rows are one padded width apart. So one contiguous copy per image cuts every window.
    """
    batch, planes, height, width, step = pixels.shape
    padded = F.pad(pixels, (0, 0, padding, padding, padding, padding)).flatten(1)
    row = (width + 2 * padding) * step
    plane = (height + 2 * padding) * row
    offsets = torch.randint(
        0, 2 * padding + 1, (2, batch), generator=generator, device=generator.device
    )
    start = (offsets[0] * row + offsets[1] * step).to(pixels.device, non_blocking=True)
    run = (planes - 1) * plane + (height - 1) * row + width * step
    # On the CPU, selecting copies run by run, many times faster than indexing does; elsewhere it
    # may write the overlapping runs out in full first.
    cut = _select_runs if pixels.device.type == "cpu" else _index_runs
    strides = (run, plane, row, step, 1)
    return cut(padded, start, run).as_strided(pixels.shape, strides).contiguous()


def _select_runs(padded: Tensor, start: Tensor, run: int) -> Tensor:
    """`run` numbers of every row of `padded` from its `start` on, `(B, run)`."""
    rows = torch.arange(len(padded), device=padded.device) * padded.shape[1]
    return padded.flatten().unfold(0, run, 1).index_select(0, rows + start)


def _index_runs(padded: Tensor, start: Tensor, run: int) -> Tensor:
    """What `_select_runs` gives, by advanced indexing."""
    return padded.unfold(1, run, 1)[torch.arange(len(padded), device=padded.device), start]
