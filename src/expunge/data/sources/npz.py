"""Arrays in an `.npz` file: images, vectors or tokens, by their names and shapes."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from expunge.data.places import files_digest
from expunge.data.sources.source import Role, Source
from expunge.data.spec import OF_COLUMNS, OF_IMAGES, OF_SPLITS, DataSpec, refuse
from expunge.errors import DataError, some
from expunge.memory import byte_count, over_memory

if TYPE_CHECKING:
    import numpy as np

    from expunge.types import Inputs, Samples

_ROLES: tuple[Role, ...] = ("train", "test")
# RuntimeError: the archive is encrypted, or compressed in a way that is not known.
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    SyntaxError,
    OverflowError,
    zipfile.BadZipFile,
    zlib.error,
)
_LARGE = 2**30
"""Arrays of more bytes than this"""
_RATIO = 100
"""must not be so many times larger than compressed: photographs are not even twice."""


def load_npz(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """`x_train` and `y_train`, and perhaps `x_test`, `y_test`, `ids_train` and `ids_test`.

    An `x` of two dimensions holds vectors, others images. Tokens are `input_ids_train` and
    `attention_mask_train` in the place of `x_train`, and so for `test`.

    Raises:
        ConfigError: a setting of columns or splits is given, or one of images for others.
        DataError: the file cannot be read, or an array is missing or not fit.
    """
    import numpy as np

    from expunge.data.arrays import pixel_notes
    from expunge.data.identity import given_ids
    from expunge.data.tables import Table, check_labels, join

    refuse(spec, *OF_COLUMNS, *OF_SPLITS)
    path = Path(spec.source).expanduser()
    arrays, left_out = _read(path)
    tables: dict[Role, Table] = {}
    for role in _ROLES:
        inputs, labels = _inputs_of(arrays, role), arrays.get(f"y_{role}")
        if not inputs and labels is None and role == "test":
            continue
        if not inputs or labels is None:
            named = ", ".join(sorted({*arrays, *left_out}))
            raise DataError(f"{path} needs the arrays x_{role} and y_{role}, has {named}")
        where = f"{path}, {role}"
        ids = arrays.get(f"ids_{role}")
        found = _inputs(inputs, spec, where)
        tables[role] = Table(
            found,
            check_labels(labels, f"{where}, y_{role}"),
            where=where,
            ids=()
            if ids is None
            else given_ids(np.atleast_1d(ids).tolist(), f"{where}, ids_{role}"),
            ids_from=f"array ids_{role}",
            notes=pixel_notes(found),
        )
    if left_out:
        notes = (*tables["train"].notes, f"left out arrays of other names: {some(left_out)}")
        tables["train"] = replace(tables["train"], notes=notes)
    return join(tables, spec.name or path.stem)


def _read(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], list[str]]:
    """The arrays with a known name, and the names of the others."""
    import numpy as np

    from expunge.data.inputs.tokens import NAMES

    if not path.is_file():
        raise DataError(f"there is no file {path}: expected an .npz file with x_train and y_train")
    known = {f"{name}_{role}" for name in ("x", "y", "ids", *NAMES) for role in _ROLES}
    try:
        with path.open("rb") as stream:
            _check_size(path, stream, known)
            with np.load(stream, allow_pickle=False) as file:
                names = file.files
                return {name: file[name] for name in names if name in known}, [
                    name for name in names if name not in known
                ]
    except _BROKEN as error:
        raise DataError(f"cannot read {path} as an .npz file of plain arrays: {error}") from error


def _check_size(path: Path, stream: IO[bytes], known: Collection[str]) -> None:
    """Refuse arrays that are larger than memory, or than their file can honestly hold.

    Raises:
        DataError: they are; nothing has been inflated.
    """
    with zipfile.ZipFile(stream) as archive:
        sizes = 0
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name not in known:
                continue
            with archive.open(member) as file:
                declared = _declared_bytes(file)
            if declared != member.file_size:
                raise DataError(
                    f"{path}: the array {name} is of {declared} bytes by its header, but the file "
                    f"holds {member.file_size}"
                )
            sizes += declared
            if declared > _LARGE and declared > _RATIO * member.compress_size:
                raise DataError(
                    f"{path}: the array {name} inflates from {member.compress_size} bytes to "
                    f"{byte_count(declared)}, more than {_RATIO} times: if it is meant to, save "
                    "the file with numpy.savez, uncompressed"
                )
        if over := over_memory(sizes):
            raise DataError(f"{path} needs memory of about {over}: use fewer or smaller samples")
    stream.seek(0)


def _declared_bytes(file: IO[bytes]) -> int:
    """The size of an array's file by its own header."""
    from numpy.lib import format as npy

    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which need allow_pickle")
    return file.tell() + math.prod(shape) * dtype.itemsize


def _inputs_of(arrays: Mapping[str, np.ndarray[Any, Any]], role: str) -> dict[str, Any]:
    """The arrays of `x`, or of tokens, by their names without the role."""
    from expunge.data.inputs.tokens import NAMES

    names = ("x", *NAMES)
    return {name: arrays[f"{name}_{role}"] for name in names if f"{name}_{role}" in arrays}


def _inputs(arrays: Mapping[str, np.ndarray[Any, Any]], spec: DataSpec, where: str) -> Inputs:
    from expunge.data.arrays import as_images, as_inputs
    from expunge.data.conform import conform

    if "x" not in arrays:
        refuse(spec, *OF_IMAGES)
        return as_inputs(arrays, where)
    if len(arrays) > 1:
        raise DataError(f"{where}: expected x or tokens, got both: {', '.join(arrays)}")
    if arrays["x"].ndim == 2:
        refuse(spec, *OF_IMAGES)
        return as_inputs(arrays["x"], where)
    return conform(as_images(arrays["x"], where, raw_pixels=spec.raw_pixels), spec)


SOURCE = Source(
    name="npz",
    form="an .npz file",
    recognises=lambda source: Path(source).suffix == ".npz",
    load=load_npz,
    stamp=lambda source: files_digest(Path(source).expanduser()),
)
