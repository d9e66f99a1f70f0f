"""Arrays in an `.npz` file: images, vectors or tokens, by their names and shapes."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.data.places import files_digest
from expunge.data.sources.source import Role, Source
from expunge.data.spec import OF_COLUMNS, OF_IMAGES, OF_SPLITS, DataSpec, refuse
from expunge.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from expunge.types import Inputs, Samples

_BROKEN = (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error)


def load_npz(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """`x_train` and `y_train`, and perhaps `x_test`, `y_test`, `ids_train` and `ids_test`.

    An `x` of two dimensions holds vectors, others images. Tokens are `input_ids_train` and
    `attention_mask_train` in the place of `x_train`, and so for `test`.

    Raises:
        ConfigError: a setting of columns or splits is given, or one of images for others.
        DataError: the file cannot be read, or an array is missing or not fit.
    """
    from expunge.data.identity import given_ids
    from expunge.data.tables import Table, check_labels, join

    refuse(spec, *OF_COLUMNS, *OF_SPLITS)
    path = Path(spec.source).expanduser()
    arrays = _read(path)
    tables: dict[Role, Table] = {}
    roles: tuple[Role, ...] = ("train", "test")
    for role in roles:
        inputs, labels = _inputs_of(arrays, role), arrays.get(f"y_{role}")
        if not inputs and labels is None and role == "test":
            continue
        if not inputs or labels is None:
            raise DataError(
                f"{path} needs the arrays x_{role} and y_{role}, has {', '.join(sorted(arrays))}"
            )
        where = f"{path}, {role}"
        ids = arrays.get(f"ids_{role}")
        tables[role] = Table(
            _inputs(inputs, spec, where),
            check_labels(labels, where),
            where=where,
            ids=() if ids is None else given_ids(ids.tolist(), where),
        )
    return join(tables, spec.name or path.stem)


def _read(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    import numpy as np

    if not path.is_file():
        raise DataError(f"there is no file {path}: expected an .npz file with x_train and y_train")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return dict(file)
    except _BROKEN as error:
        raise DataError(f"cannot read {path} as an .npz file of plain arrays: {error}") from error


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
    return conform(as_images(arrays["x"], where), spec)


SOURCE = Source(
    name="npz",
    form="an .npz file",
    recognises=lambda source: Path(source).suffix == ".npz",
    load=load_npz,
    stamp=lambda source: files_digest(Path(source).expanduser()),
)
