"""What edits of images share: their pixels in memory, a patch, and a target that exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from expunge.errors import ConfigError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.facts import Facts
    from expunge.settings import InputKind
    from expunge.types import Inputs

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


class Targeted(Protocol):
    """Settings with a target class."""

    @property
    def target(self) -> int:
        """Its index."""
        ...


class TargetedPatch(Targeted, Patch, Protocol):
    """Settings of a patch that stands for a target class."""


def check_target(edit: str, target: int, classes: int) -> None:
    """Refuse a target that is none of so many classes.

    Raises:
        ConfigError: it is not.
    """
    if target >= classes:
        raise ConfigError(f"{edit}: target must be a class in 0..{classes - 1}, got {target}")


def check_images(edit: str, config: Targeted, facts: Facts) -> None:
    """Refuse data that are no images, or have no such target class.

    Raises:
        ConfigError: the target is no class.
        DataError: the inputs are no images.
    """
    check_kind(edit, facts.kind, facts.shape)
    check_target(edit, config.target, len(facts.class_names))


def check_patched(edit: str, config: TargetedPatch, facts: Facts) -> None:
    """Refuse data that are no images, or have no place for the patch, or no such target class.

    Raises:
        ConfigError: the target is no class, or the patch does not lie in the image.
        DataError: the inputs are no images.
    """
    check_images(edit, config, facts)
    _spans(edit, config, facts.shape)


def pixels_of(edit: str, inputs: Inputs) -> Tensor:
    """A copy of all images, uint8 `(N, C, H, W)`, in memory.

    Raises:
        DataError: the inputs are not images of uint8.
    """
    import torch

    check_kind(edit, inputs.kind, inputs.shape)
    batches = inputs.batches(torch.split(torch.arange(len(inputs)), _BATCH))
    images = torch.cat([batch.cpu() for batch in batches if isinstance(batch, torch.Tensor)])
    if images.dtype != torch.uint8:
        raise DataError(f"{edit} changes images of uint8 in 0..255, got {images.dtype}")
    return images


def with_change(
    edit: str, inputs: Inputs, index: Tensor, change: Callable[[Tensor], Tensor]
) -> Inputs:
    """Copies of all images in memory, those at `index`, int64 `(M,)`, as `change` gives them.

    Raises:
        DataError: the inputs are not images of uint8.
    """
    import torch

    from expunge.data.inputs.images import ResidentImages

    images = pixels_of(edit, inputs)
    for rows in torch.split(index, _BATCH):
        images[rows] = change(images[rows])
    return ResidentImages(images)


def patched(edit: str, images: Tensor, patch: Patch) -> Tensor:
    """Copies of images `(B, C, H, W)` with the patch.

    Raises:
        ConfigError: the patch does not lie in the image.
    """
    rows, columns = _spans(edit, patch, tuple(images.shape[1:]))
    images = images.clone()
    images[:, :, rows, columns] = patch.value
    return images


def check_kind(edit: str, kind: InputKind, shape: tuple[int, ...]) -> None:
    """Refuse inputs that are no images.

    Raises:
        DataError: they are not.
    """
    if kind != "images":
        raise DataError(f"{edit} changes images (C, H, W), got {kind} of shape {shape}")


def _spans(edit: str, patch: Patch, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The rows and columns of the patch in images `(C, H, W)`."""
    return (
        span(edit, "row", patch.row, patch.size, shape[1]),
        span(edit, "column", patch.column, patch.size, shape[2]),
    )


def span(edit: str, name: str, start: int, size: int, length: int) -> slice:
    """The pixels of a patch along one side of the image; a negative start counts from the end.

    Raises:
        ConfigError: the patch does not lie in the image.
    """
    if size > length:
        raise ConfigError(f"{edit}: a patch of {size} pixels is larger than an image of {length}")
    first = start + length if start < 0 else start
    if not 0 <= first <= length - size:
        raise ConfigError(
            f"{edit}: a patch of {size} pixels from {name} {start} is not inside an image of "
            f"{length}: expected {name} in 0..{length - size} or -{length}..-{size}"
        )
    return slice(first, first + size)
