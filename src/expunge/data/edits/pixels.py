"""What edits of images share: their pixels in memory, a patch, and a target that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from expunge.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.types import Inputs, Samples

_BATCH = 1024


class Patch(Protocol):
    """The settings of a square patch."""

    @property
    def size(self) -> int:
        """Height and width in pixels."""
        ...

    @property
    def row(self) -> int:
        """Of the top left pixel; negative values count from the bottom edge."""
        ...

    @property
    def column(self) -> int:
        """Of the top left pixel; negative values count from the right edge."""
        ...

    @property
    def value(self) -> int:
        """Of its pixels in every channel, 0-255."""
        ...


def check_target(edit: str, target: int, samples: Samples) -> None:
    """Refuse a target that is no class of the samples.

    Raises:
        ConfigError: it is not.
    """
    if target >= samples.num_classes:
        raise ConfigError(
            f"{edit}: target must be a class in 0..{samples.num_classes - 1}, got {target}"
        )


def pixels_of(edit: str, inputs: Inputs) -> Tensor:
    """A copy of all images, uint8 `(N, C, H, W)`, in memory.

    Raises:
        DataError: the inputs are not images of uint8.
    """
    import torch

    if inputs.kind != "images":
        raise DataError(
            f"{edit} changes images (C, H, W), got {inputs.kind} of shape {inputs.shape}"
        )
    batches = inputs.batches(torch.split(torch.arange(len(inputs)), _BATCH))
    images = torch.cat([batch.cpu() for batch in batches if isinstance(batch, torch.Tensor)])
    if images.dtype != torch.uint8:
        raise DataError(f"{edit} changes images of uint8 in 0..255, got {images.dtype}")
    return images


def patched(edit: str, inputs: Inputs, index: Tensor, patch: Patch) -> Inputs:
    """Copies of all images in memory, those at `index`, int64 `(M,)`, with the patch.

    Raises:
        ConfigError: the patch does not lie in the image.
        DataError: the inputs are not images of uint8.
    """
    from expunge.data.inputs.images import ResidentImages

    images = pixels_of(edit, inputs)
    rows = _span(edit, "row", patch.row, patch.size, images.shape[2])
    columns = _span(edit, "column", patch.column, patch.size, images.shape[3])
    images[index, :, rows, columns] = patch.value
    return ResidentImages(images)


def _span(edit: str, name: str, start: int, size: int, length: int) -> slice:
    """The pixels of the patch along one side of the image."""
    if size > length:
        raise ConfigError(f"{edit}: a patch of {size} pixels is larger than an image of {length}")
    first = start + length if start < 0 else start
    if not 0 <= first <= length - size:
        raise ConfigError(
            f"{edit}: a patch of {size} pixels from {name} {start} is not inside an image of "
            f"{length}: expected {name} in 0..{length - size} or -{length}..-{size}"
        )
    return slice(first, first + size)
