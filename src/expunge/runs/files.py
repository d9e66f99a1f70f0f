"""Files of JSON and of arrays, written whole or not at all."""

import errno
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from safetensors import SafetensorError

from expunge.atomic import creating, replacing
from expunge.digest import with_digest, without_digest
from expunge.errors import StoreError

if TYPE_CHECKING:
    import numpy.typing as npt

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
"""What JSON can hold; tuples are written as lists."""
Arrays: TypeAlias = "Mapping[str, npt.NDArray[Any]]"
"""Named arrays of booleans, integers or floats."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_json(path: Path, value: JSON) -> None:
    """Write `value` as JSON, keys in their order.

    Raises:
        StoreError: it holds NaN or an infinity, is not JSON, or cannot be written.
    """
    _write(path, _text(path, value))


def create_json(path: Path, value: JSON) -> bool:
    """Write `value` as JSON unless `path` exists; return whether it was written.

    If several processes do so in parallel, one writes.

    Raises:
        StoreError: as in `write_json`.
    """
    content = _text(path, value)
    try:
        with creating(path) as aside:
            aside.write_bytes(content)
    except FileExistsError:
        return False
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    return True


def read_json(path: Path) -> JSON:
    """The value in a JSON file.

    Raises:
        StoreError: it is missing, cannot be read, or is not JSON with finite numbers.
    """
    try:
        value: JSON = json.loads(_read(path), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not valid JSON: {error}") from error
    return value


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        StoreError: as in `read_json`, or it holds something other than an object.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise StoreError(f"{path} must hold a JSON object, got {type(value).__name__}")
    return value


def write_document(path: Path, value: Mapping[str, JSON]) -> None:
    """Write an object as JSON, with its digest.

    Raises:
        StoreError: as in `write_json`.
    """
    _text(path, value)
    write_json(path, with_digest(value))


def read_document(path: Path) -> dict[str, Any]:
    """The object in a JSON file, without its digest; early files have none.

    Raises:
        StoreError: as in `read_object`, or it has changed since it was written.
    """
    try:
        return without_digest(read_object(path))
    except ValueError as error:
        raise StoreError(f"{path} is damaged, {error}") from error


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write named arrays as safetensors.

    Raises:
        StoreError: an array is not bool, integer or float, or cannot be written.
    """
    import numpy as np
    from safetensors.numpy import save

    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise StoreError(
                f"cannot write {name!r} to {path}: expected bool, integers or floats of at most "
                f"64 bits, got {array.dtype}"
            )
    _write(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


def read_arrays(path: Path) -> "dict[str, npt.NDArray[Any]]":
    """The arrays of a safetensors file.

    Raises:
        StoreError: it is missing, cannot be read, or is not complete.
    """
    from safetensors.numpy import load

    try:
        return load(_read(path))
    except (SafetensorError, KeyError, ValueError) as error:
        raise StoreError(f"{path} is not a whole safetensors file: {error}") from error


def disk_is_full(error: BaseException | None) -> str | None:
    """The system's message, if an error or one of its causes is a full disk."""
    while error is not None:
        number = error.errno if isinstance(error, OSError) else None
        if isinstance(error, SafetensorError):
            # Its number is only in its text.
            found = re.search(r"os error (\d+)", str(error))
            number = int(found[1]) if found else None
        if number in _FULL:
            return os.strerror(number)
        error = error.__cause__
    return None


def _text(path: Path, value: JSON) -> bytes:
    try:
        return json.dumps(value, indent=1, allow_nan=False).encode() + b"\n"
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"cannot write {path}: {error}") from error


def _write(path: Path, content: bytes) -> None:
    try:
        with replacing(path) as aside:
            aside.write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")
