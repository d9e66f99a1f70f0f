"""Encoded images (JPEG, PNG, ...) to arrays of one shape."""

import io
import shutil
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image, ImageOps

from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec
from expunge.errors import DataError, some
from expunge.memory import byte_count

Encoded = bytes | Path | None
"""A file's bytes or its path; None if a row has no image."""


class Pictures(Protocol):
    """Encoded images in order."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def name(self, row: int) -> str:
        """What messages call an image: its file, or its row."""
        ...

    def chunks(self) -> Iterator[list[Encoded]]:
        """All of them, some at a time; can be called several times."""
        ...


SUFFIXES = (
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg",
    ".jpg", ".jpx", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
"""The suffixes of image files, in lower case."""
# Formats of other kinds, such as PostScript, run programs to be decoded.
_FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI",
    "TGA", "TIFF", "WEBP",
)  # fmt: skip

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
    first: str = "the first"
    """The image that has this size."""


def decode_parts(
    parts: Mapping[Role, Pictures], spec: DataSpec, folder: Path
) -> tuple[dict[Role, np.ndarray[Any, Any]], tuple[str, ...]]:
    """The images of all parts, uint8 `(N, C, H, W)`, in files `ROLE.inputs.npy`; and notes.

    All parts get one format: RGB if any image in any of them has colour.

    Raises:
        DataError: an image cannot be decoded, or has another size; or the disk is too full.
    """
    with warnings.catch_warnings():
        # Pillow warns of images half as large as those that it refuses.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        formats = [find_format(each, spec.channels, spec.image_size) for each in parts.values()]
        wanted = replace(formats[0], channels=max(one.channels for one in formats))
        _check_disk(wanted, sum(map(len, parts.values())), spec, folder)
        arrays: dict[Role, np.ndarray[Any, Any]] = {}
        seen = Seen()
        for role, pictures in parts.items():
            arrays[role] = np.lib.format.open_memmap(
                folder / f"{role}.inputs.npy",
                mode="w+",
                dtype=np.uint8,
                shape=(len(pictures), wanted.channels, wanted.height, wanted.width),
            )
            decode_into(arrays[role], pictures, wanted, seen)
    return arrays, seen.notes()


def _check_disk(wanted: Format, count: int, spec: DataSpec, folder: Path) -> None:
    # Writing to a mapped file on a full disk kills the process.
    needed = count * wanted.channels * wanted.height * wanted.width
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{spec.source}: the decoded images need {byte_count(needed)} and {folder.parent} has "
            f"{byte_count(free)} left: set image_size, or EXPUNGE_CACHE to another folder"
        )


def find_format(
    pictures: Pictures, channels: Literal[1, 3] | None, image_size: int | None
) -> Format:
    """The format of all images: as requested, else that of the first, RGB if any has colour.

    Raises:
        DataError: one of them cannot be opened.
    """
    numbered = enumerate(chain.from_iterable(pictures.chunks()))
    _, encoded = next(numbered)
    with _opened(encoded, pictures, 0) as image:
        width, height = _upright(image).size
        colour = has_colour(image)
    if channels is None:
        channels = 3 if colour or _any_colour(numbered, pictures) else 1
    if image_size is not None:
        return Format(channels=channels, height=image_size, width=image_size, cut=True)
    first = pictures.name(0)
    return Format(channels=channels, height=height, width=width, cut=False, first=first)


class Seen:
    """Which images had something that their pixels do not show."""

    def __init__(self) -> None:
        self._transparent: list[str] = []
        self._several: list[str] = []

    def look(self, image: Image.Image, pictures: Pictures, row: int) -> None:
        """Note an image, opened but not converted."""
        if getattr(image, "is_animated", False):
            self._several.append(pictures.name(row))
        if _is_transparent(image):
            self._transparent.append(pictures.name(row))

    def notes(self) -> tuple[str, ...]:
        """What a person should know."""
        said = {
            "hold several pictures, or move, and only the first picture is used": self._several,
            "are partly transparent, and the transparency is left out": self._transparent,
        }
        return tuple(
            f"{len(names)} image files {what}: {some(sorted(names), 3)}"
            for what, names in said.items()
            if names
        )


def decode_into(out: np.ndarray[Any, Any], pictures: Pictures, wanted: Format, seen: Seen) -> None:
    """Decode all pictures into `out`, uint8 `(N, C, H, W)`.

    Raises:
        DataError: an image is missing, cannot be decoded, or has another size; the message names
            it.
    """

    def one(numbered: tuple[int, Encoded]) -> None:
        row, encoded = numbered
        with _opened(encoded, pictures, row) as image:
            seen.look(image, pictures, row)
            out[row] = pixels(fit(convert(image, wanted.channels), wanted))

    start = 0
    with ThreadPoolExecutor() as pool:
        for chunk in pictures.chunks():
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
            f"the image is {image.height}x{image.width} but {wanted.first} is "
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


def _is_transparent(image: Image.Image) -> bool:
    """Whether some pixel is not opaque."""
    if image.mode in ("RGBA", "LA"):
        low, _ = image.getchannel("A").getextrema()
        return isinstance(low, int | float) and low < 255
    return "transparency" in image.info or image.mode in ("PA", "La", "RGBa")


def _any_colour(numbered: Iterator[tuple[int, Encoded]], pictures: Pictures) -> bool:
    for row, encoded in numbered:
        with _opened(encoded, pictures, row) as image:
            if has_colour(image):
                return True
    return False


@contextmanager
def _opened(encoded: Encoded, pictures: Pictures, row: int) -> Iterator[Image.Image]:
    """Open an image without decoding it; errors inside the block name it."""
    if encoded is None:
        raise DataError(f"{pictures.name(row)} has no image")
    try:
        file = io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded
        with Image.open(file, formats=_formats()) as image:
            yield image
    except DataError as error:
        raise DataError(f"{pictures.name(row)}: {error}") from None
    except Exception as error:
        # A decoder raises many kinds of errors on damaged bytes.
        reason = " ".join(str(error).split()) or type(error).__name__
        name = pictures.name(row)
        raise DataError(f"{name}: the image cannot be decoded ({reason})") from error


@cache
def _formats() -> tuple[str, ...]:
    """Those of `_FORMATS` that the installed Pillow has."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _mean_bytes(chunk: list[Encoded]) -> float:
    sizes = [
        item.stat().st_size if isinstance(item, Path) else len(item)
        for item in chunk[:16]
        if item is not None
    ]
    return sum(sizes) / len(sizes) if sizes else 0.0
