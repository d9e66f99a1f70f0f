"""Marks on images: one for each class, which differ by colour or by position."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from expunge.data.edits.pixels import check_kind, pixels_of, span
from expunge.errors import ConfigError
from expunge.settings import check_choice, check_range

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.facts import Facts
    from expunge.types import Inputs

_COLOURS = 255
"""How many marks can be told apart by hue or by level of grey."""


@dataclass(frozen=True, kw_only=True)
class MarkConfig:
    """How the marks of the classes look.

    Raises:
        ConfigError: a setting is out of range, or borders are to differ by position.
    """

    shape: Literal["patch", "border"] = "patch"
    """A square patch, or a border around the image."""
    differ_by: Literal["auto", "colour", "position"] = "auto"
    """`colour`: hues, or levels of grey in images of one channel. `position`: white patches at
    places along the edges. `auto`: position for patches in images of one channel, else colour."""
    size: int = 4
    """Height and width of a patch, or width of a border, in pixels."""
    row: int = -6
    """Row of a patch's top left pixel, if patches differ by colour; negative: from the bottom."""
    column: int = -6
    """Column of the same pixel; negative values count from the right edge."""

    def __post_init__(self) -> None:
        check_choice("shape", self.shape, ("patch", "border"))
        check_choice("differ_by", self.differ_by, ("auto", "colour", "position"))
        check_range("size", self.size, 1, None)
        if (self.shape, self.differ_by) == ("border", "position"):
            raise ConfigError("borders cannot differ by position: expected differ_by colour")


def check_marks(edit: str, config: MarkConfig, facts: Facts) -> None:
    """Refuse data that are no images, or have no room for as many marks as classes.

    Raises:
        ConfigError: a mark does not lie in the image, or there is no room for as many.
        DataError: the inputs are no images.
    """
    check_kind(edit, facts.kind, facts.shape)
    classes = len(facts.class_names)
    _regions(edit, facts.shape, classes, config)
    _colours(facts.shape[0], classes, config)


def with_marks(
    edit: str, inputs: Inputs, index: Tensor, marks: Tensor, classes: int, config: MarkConfig
) -> Inputs:
    """Copies of all images in memory, those at `index` with the mark of the class in `marks`.

    Args:
        edit: the name of the edit, for messages.
        inputs: images of uint8.
        index: int64 `(M,)`.
        marks: int64 `(M,)`, in 0..classes−1.
        classes: how many marks there are.
        config: how they look.

    Raises:
        ConfigError: a mark does not lie in the image, or there is no room for as many.
        DataError: the inputs are not images of uint8.
    """
    import torch

    from expunge.data.inputs.images import ResidentImages

    images = pixels_of(edit, inputs)
    channels, height, width = inputs.shape
    regions = _regions(edit, inputs.shape, classes, config)
    colours = torch.tensor(_colours(channels, classes, config), dtype=torch.uint8)
    for mark in sorted(set(marks.tolist())):
        rows = index[marks == mark]
        there = torch.zeros(height, width, dtype=torch.bool)
        for vertical, horizontal in regions[mark]:
            there[vertical, horizontal] = True
        images[rows] = torch.where(there, colours[mark][:, None, None], images[rows])
    return ResidentImages(images)


def _by_position(channels: int, config: MarkConfig) -> bool:
    if config.differ_by == "auto":
        return channels == 1 and config.shape == "patch"
    return config.differ_by == "position"


def _colours(channels: int, classes: int, config: MarkConfig) -> list[list[int]]:
    """The value of each channel in the mark of each class, 0-255."""
    if _by_position(channels, config):
        return [[255] * channels] * classes
    if classes > _COLOURS:
        raise ConfigError(f"at most {_COLOURS} marks differ by colour, got {classes} classes")
    if channels == 3:
        hues = (colorsys.hsv_to_rgb(mark / classes, 1.0, 1.0) for mark in range(classes))
        return [[round(255 * part) for part in hue] for hue in hues]
    return [[round(255 * (mark + 1) / classes)] * channels for mark in range(classes)]


def _regions(
    edit: str, shape: tuple[int, ...], classes: int, config: MarkConfig
) -> list[list[tuple[slice, slice]]]:
    """The rectangles of the mark of each class, on images `(C, H, W)`."""
    channels, height, width = shape
    size, whole = config.size, slice(None)
    if config.shape == "border":
        if 2 * size >= min(height, width):
            raise ConfigError(
                f"a border of {size} pixels leaves nothing of an image of {height}x{width}"
            )
        first, last = slice(0, size), slice(-size, None)
        return [[(first, whole), (last, whole), (whole, first), (whole, last)]] * classes
    if _by_position(channels, config):
        places = _along_the_edges(height // size, width // size)
        if classes > len(places):
            raise ConfigError(
                f"the edges of an image of {height}x{width} have room for {len(places)} patches "
                f"of {size} pixels, and there are {classes} classes: lower size"
            )
        chosen = [places[mark * len(places) // classes] for mark in range(classes)]
        return [
            [(slice(y * size, (y + 1) * size), slice(x * size, (x + 1) * size))] for y, x in chosen
        ]
    rows = span(edit, "row", config.row, size, height)
    return [[(rows, span(edit, "column", config.column, size, width))]] * classes


def _along_the_edges(rows: int, columns: int) -> list[tuple[int, int]]:
    """The cells of a grid that lie on its edge, clockwise from the top left."""
    if min(rows, columns) < 1:
        return []
    top = [(0, x) for x in range(columns)]
    right = [(y, columns - 1) for y in range(1, rows)]
    bottom = [(rows - 1, x) for x in range(columns - 2, -1, -1)] if rows > 1 else []
    left = [(y, 0) for y in range(rows - 2, 0, -1)] if columns > 1 else []
    return top + right + bottom + left
