"""Encoded images (JPEG, PNG, ...) to arrays of one shape."""

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps

from expunge.errors import DataError

Encoded = bytes | Path | None
"""A file's bytes or its path; None if a row has no image."""

_ORIENTATION = 0x0112
_GREY_MODES = ("1", "L", "LA", "La")
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_THREADED_BYTES = 8192
"""Decoding runs outside the interpreter's lock, but threads pay off only for images of this size:
below it, handing the lock around costs more than it gains."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """The format to decode images to."""

    channels: Literal[1, 3]
    height: int
    width: int
    cut: bool
    """Whether to resize and crop images of other sizes; otherwise they are refused."""


def find_format(
    rows: Callable[[], Iterable[list[Encoded]]],
    channels: Literal[1, 3] | None,
    image_size: int | None,
    where: str,
) -> Format:
    """The format of all images: as requested, else that of the first, RGB if any has colour.

    Raises:
        DataError: there is no image, or one cannot be opened.
    """
    numbered = enumerate(chain.from_iterable(rows()))
    first = next(numbered, None)
    if first is None:
        raise DataError(f"{where} is empty: expected at least one image")
    with _opened(first[1], f"{where}, row 0") as image:
        width, height = _upright(image).size
        colour = has_colour(image)
    if channels is None:
        channels = 3 if colour or _any_colour(numbered, where) else 1
    if image_size is not None:
        return Format(channels=channels, height=image_size, width=image_size, cut=True)
    return Format(channels=channels, height=height, width=width, cut=False)


def decode_into(
    out: np.ndarray[Any, Any], rows: Iterable[list[Encoded]], wanted: Format, where: str
) -> None:
    """Decode `rows`, given in chunks, into `out`, uint8 `(N, C, H, W)`.

    Raises:
        DataError: an image is missing, cannot be decoded, or has another size; the message names
            its row.
    """

    def one(numbered: tuple[int, Encoded]) -> None:
        row, encoded = numbered
        with _opened(encoded, f"{where}, row {row}") as image:
            out[row] = pixels(fit(convert(image, wanted.channels), wanted))

    start = 0
    with ThreadPoolExecutor() as pool:
        for chunk in rows:
            numbered = list(enumerate(chunk, start))
            run = pool.map if _mean_bytes(chunk) > _THREADED_BYTES else map
            for _ in run(one, numbered):
                pass
            start += len(chunk)


def has_colour(image: Image.Image) -> bool:
    """Whether an image needs three channels."""
    return image.mode not in _GREY_MODES + _DEEP_MODES


def convert(image: Image.Image, channels: Literal[1, 3]) -> Image.Image:
    """The image rotated upright, with these channels.

    Raises:
        DataError: it has more than 8 bits per channel.
    """
    if image.mode in _DEEP_MODES:
        raise DataError(
            f"expected 8 bits per channel, got PIL mode {image.mode}: convert the images"
        )
    image = _upright(image)
    mode = "L" if channels == 1 else "RGB"
    return image if image.mode == mode else image.convert(mode)


def fit(image: Image.Image, wanted: Format) -> Image.Image:
    """The image in the requested size.

    Raises:
        DataError: it has another size and must not be resized.
    """
    size = (wanted.width, wanted.height)
    if image.size == size:
        return image
    if not wanted.cut:
        raise DataError(
            f"the image is {image.height}x{image.width} but the first is "
            f"{wanted.height}x{wanted.width}: pass image_size to bring all to one size"
        )
    # Resize until the image just covers the size, then crop the centre.
    return ImageOps.fit(image, size, Image.Resampling.BILINEAR)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    """A grey or RGB image as uint8 `(C, H, W)`."""
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _upright(image: Image.Image) -> Image.Image:
    turned = image.getexif().get(_ORIENTATION, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def _any_colour(numbered: Iterator[tuple[int, Encoded]], where: str) -> bool:
    for row, encoded in numbered:
        with _opened(encoded, f"{where}, row {row}") as image:
            if has_colour(image):
                return True
    return False


@contextmanager
def _opened(encoded: Encoded, place: str) -> Iterator[Image.Image]:
    """Open the image without decoding it; errors inside the block name its place."""
    if encoded is None:
        raise DataError(f"{place} has no image")
    try:
        file = io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded
        with Image.open(file) as image:
            yield image
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    except Exception as error:
        # A decoder raises many kinds of errors on damaged bytes.
        reason = " ".join(str(error).split())
        raise DataError(f"{place}: the image cannot be decoded ({reason})") from error


def _mean_bytes(chunk: list[Encoded]) -> float:
    sizes = [
        item.stat().st_size if isinstance(item, Path) else len(item)
        for item in chunk[:16]
        if item is not None
    ]
    return sum(sizes) / len(sizes) if sizes else 0.0
