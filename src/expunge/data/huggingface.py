"""Samples of the splits of Hugging Face datasets: images, numbers or tokens, by their columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from expunge.data.columns import LABEL_NAMES, stripped, table_of_columns
from expunge.data.decode import Encoded, Seen, decode_into, decode_parts, find_format
from expunge.data.hf_library import HfDataset, library
from expunge.data.identity import given_ids
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.roles import choose_splits
from expunge.data.sources.source import Role
from expunge.data.spec import OF_IMAGES, DataSpec, refuse
from expunge.data.tables import Labels, Table, check_labels, join
from expunge.errors import DataError, some, unknown
from expunge.types import Samples

_IMAGE_NAMES = ("image", "img", "images", "pixel_values", "jpg", "png")
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of images, labels and ids."""

    image: str
    label: str
    id: str | None = None


def read_splits(
    splits: Mapping[str, HfDataset],
    spec: DataSpec,
    folder: Path,
    name: str,
    notes: tuple[str, ...] = (),
) -> dict[Role, Samples]:
    """Samples of the splits that have a role: images if a column has them, else other columns.

    Decoded images become files `ROLE.inputs.npy` in `folder`.

    Raises:
        DataError: a split or a column is missing or not valid.
    """
    names = choose_splits(tuple(splits), spec)
    chosen = {role: splits[split] for role, split in names.items()}
    if not _has_numbers(chosen["train"], spec):
        tables = decode_splits(chosen, spec, folder)
    else:
        refuse(spec, *OF_IMAGES)
        tables = {role: _by_columns(chosen[role], role, spec) for role in chosen}
    left_out = splits.keys() - names.values()
    if left_out:
        counted = (f"{split} ({len(splits[split])} rows)" for split in sorted(left_out))
        notes += (f"left out splits: {some(counted)}",)
    tables["train"] = replace(tables["train"], notes=(*tables["train"].notes, *notes))
    return join(tables, name)


def decode_splits(splits: dict[Role, HfDataset], spec: DataSpec, folder: Path) -> dict[Role, Table]:
    """Tables of the splits by role; images become files `ROLE.inputs.npy` in `folder`.

    Raises:
        DataError: a column is missing or not valid, or an image cannot be decoded.
    """
    columns = {
        role: find_columns(split, spec, f"{spec.source}, split {role}")
        for role, split in splits.items()
    }
    sources = {
        role: _Encoded(split, columns[role].image, f"{spec.source}, split {role}")
        for role, split in splits.items()
    }
    # Labels and ids first: they are quick, and if they fail no time is lost on decoding.
    read = {}
    for role, split in splits.items():
        where, column = sources[role].where, columns[role].id
        ids = () if column is None else given_ids(stripped(_values(split, column)), where)
        read[role] = _labels(split, columns[role].label, where), ids
    arrays, notes = decode_parts(sources, spec, folder)
    tables: dict[Role, Table] = {}
    for role, array in arrays.items():
        (labels, class_names), ids = read[role]
        tables[role] = Table(
            StreamedImages(array),
            labels,
            where=sources[role].where,
            class_names=class_names,
            ids=ids,
            ids_from=f"column {columns[role].id!r}",
            notes=(*_of_columns(splits[role], columns[role]), *notes) if role == "train" else (),
        )
    return tables


def table_of_dataset(dataset: HfDataset, *, where: str, ids: tuple[str, ...] = ()) -> Table:
    """The table of one split, in memory, with columns found by their types and names.

    Raises:
        DataError: a column of inputs or labels is missing, or an image cannot be decoded.
    """
    spec = DataSpec(source=where)
    if _has_numbers(dataset, spec):
        table = table_of_columns(_columns(dataset), spec, where, _class_names(dataset, spec))
        return table if not ids else replace(table, ids=ids, ids_from="given with the data")
    columns = find_columns(dataset, spec, where)
    source = _Encoded(dataset, columns.image, where)
    wanted = find_format(source, None, None)
    out = np.empty((len(dataset), wanted.channels, wanted.height, wanted.width), np.uint8)
    labels, class_names = _labels(dataset, columns.label, where)
    seen = Seen()
    decode_into(out, source, wanted, seen)
    return Table(
        ResidentImages(torch.from_numpy(out)),
        labels,
        where=where,
        class_names=class_names,
        ids=ids,
        notes=(*_of_columns(dataset, columns), *seen.notes()),
    )


def _of_columns(dataset: HfDataset, columns: Columns) -> tuple[str, ...]:
    """Which columns are used, and which are not."""
    used = (columns.image, columns.label, columns.id)
    unused = [name for name in dataset.features if name not in used]
    said = f"; columns that are not used: {some(unused)}" if unused else ""
    return (
        f"the images are the column {columns.image!r}, the labels the column {columns.label!r}"
        f"{said}",
    )


def find_columns(dataset: HfDataset, spec: DataSpec, where: str) -> Columns:
    """The columns that the spec names, otherwise found by type, otherwise by a usual name.

    Raises:
        DataError: no column matches, or several do.
    """
    features = dataset.features
    found = {}
    for kind, type_name, usual in (
        ("image", "Image", _IMAGE_NAMES),
        ("label", "ClassLabel", LABEL_NAMES),
    ):
        asked = getattr(spec, f"{kind}_column")
        typed = [name for name, feature in features.items() if type(feature).__name__ == type_name]
        named = [name for name in usual if name in (typed or features)]
        if asked is not None:
            if asked not in features:
                raise DataError(f"{where}: {unknown('column', asked, features)}")
            found[kind] = asked
        elif len(typed) == 1 or named:
            found[kind] = typed[0] if len(typed) == 1 else named[0]
        else:
            raise DataError(
                f"{where}: cannot tell which column holds the {kind}s: "
                f"pass {kind}_column, one of {some(features)}"
            )
    if spec.id_column is not None and spec.id_column not in features:
        raise DataError(f"{where}: {unknown('column', spec.id_column, features)}")
    return Columns(image=found["image"], label=found["label"], id=spec.id_column)


def _has_numbers(dataset: HfDataset, spec: DataSpec) -> bool:
    """Whether the inputs are tokens or columns of numbers, not images."""
    features = dataset.features
    if spec.image_column is not None or any(
        type(feature).__name__ == "Image" or name in _IMAGE_NAMES
        for name, feature in features.items()
    ):
        return False
    others = {spec.label_column, spec.id_column, *LABEL_NAMES, "id"}
    return "input_ids" in features or any(
        getattr(feature, "dtype", "").startswith(("float", "int", "uint", "double"))
        for name, feature in features.items()
        if name not in others
    )


def _by_columns(split: HfDataset, role: Role, spec: DataSpec) -> Table:
    where = f"{spec.source}, split {role}"
    if split.info.builder_name == "csv":
        raise DataError(
            f"{spec.source}: CSV files in a folder must be called train.csv, test.csv and "
            "validation.csv, and are then read verbatim"
        )
    return table_of_columns(_columns(split), spec, where, _class_names(split, spec))


def _columns(dataset: HfDataset) -> dict[str, Any]:
    table = dataset.with_format("arrow")[:]
    return {name: table[name] for name in table.column_names}


def _class_names(dataset: HfDataset, spec: DataSpec) -> tuple[str, ...] | None:
    """The class names of the label column, if its type has them."""
    known = [name for name in LABEL_NAMES if name in dataset.features]
    feature = dataset.features.get(spec.label_column or next(iter(known), None))
    return tuple(feature.names) if type(feature).__name__ == "ClassLabel" else None


class _Encoded:
    """The encoded images of one column, in chunks; can be iterated several times."""

    def __init__(self, dataset: HfDataset, column: str, where: str) -> None:
        if len(dataset) == 0:
            raise DataError(f"{where} is empty: expected at least one image")
        image = library().Image(decode=False)
        try:
            self._rows = dataset.select_columns([column]).cast_column(column, image)
        except Exception as error:
            raise DataError(
                f"{where}: column {column!r} holds {dataset.features[column]}, not encoded images"
            ) from error
        self._column = column
        self.where = where

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, row: int) -> str:
        """What messages call an image: its row, and its file if known."""
        cell = self._rows.with_format("arrow")[row : row + 1][self._column].to_pylist()[0]
        path = None if cell is None else cell["path"]
        return f"{self.where}, row {row}" + (f" ({path})" if path else "")

    def chunks(self) -> Iterator[list[Encoded]]:
        for table in self._rows.with_format("arrow").iter(_CHUNK):
            yield [
                None if cell is None else cell["bytes"] or _path(cell["path"])
                for cell in table[self._column].to_pylist()
            ]


def _path(path: str | None) -> Path | None:
    return None if path is None else Path(path)


def _labels(dataset: HfDataset, column: str, where: str) -> tuple[Labels, tuple[str, ...] | None]:
    where = f"{where}, column {column!r}"
    values = _values(dataset, column)
    missing = [row for row, value in enumerate(values) if value is None]
    if missing:
        raise DataError(f"{where}: rows without a label: {some(missing)}")
    feature = dataset.features[column]
    names = tuple(feature.names) if type(feature).__name__ == "ClassLabel" else None
    return check_labels(values, where), names


def _values(dataset: HfDataset, column: str) -> list[object]:
    table = dataset.select_columns([column]).with_format("arrow")[:]
    values: list[object] = table[column].to_pylist()
    return values
