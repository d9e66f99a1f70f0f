"""Labels and ids that `metadata.csv` and its like give to the images of a folder."""

import posixpath
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expunge.data.columns import stripped
from expunge.data.table_files import read_columns
from expunge.errors import DataError, some

FILES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Their names; a file describes images in its folder and below."""
FILE_NAME = "file_name"
"""The column with an image's path, relative to the folder of the metadata file."""


@dataclass(frozen=True)
class Metadata:
    """The rows of all metadata files of a folder, by image."""

    rows: Mapping[str, Mapping[str, Any]]
    """By the image's path, relative to the source: its values by column."""
    columns: tuple[str, ...]
    """All columns of all files, except `file_name`."""
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        """The files, for messages."""
        return some(self.files, 3)

    def without_images(self, images: Sequence[str]) -> tuple[str, ...]:
        """The images that are named, but are not among `images`."""
        there = set(images)
        return tuple(name for name in self.rows if name not in there)


def read_metadata(folder: Path, names: Sequence[str], images: Sequence[str]) -> Metadata:
    """The metadata files `names`, paths relative to `folder`, as are `images`.

    Raises:
        DataError: a file cannot be read, lacks the column `file_name`, or an image is named twice.
    """
    rows: dict[str, dict[str, Any]] = {}
    columns: dict[str, None] = {}
    there = set(images)
    for name in names:
        table = read_columns(folder / name)
        where = folder / name
        if FILE_NAME not in table:
            raise DataError(
                f"{where} has no column {FILE_NAME!r}: expected the paths of images, relative to "
                f"its folder; it has {some(table)}"
            )
        values = {column: _values(cells) for column, cells in table.items()}
        columns |= dict.fromkeys(column for column in values if column != FILE_NAME)
        for row, cell in enumerate(values[FILE_NAME]):
            if not isinstance(cell, str):
                raise DataError(f"{where}, row {row}: expected an image's path, got {cell!r:.60}")
            path = _path(cell, name, there)
            if path in rows:
                raise DataError(f"{where}, row {row}: the image {path} is named before")
            rows[path] = {column: cells[row] for column, cells in values.items()}
    return Metadata(rows=rows, columns=tuple(columns), files=tuple(names))


def _path(cell: str, name: str, there: Collection[str]) -> str:
    """The path of an image relative to the source, as the metadata file `name` gives it."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), cell))
    forward = path.replace("\\", "/")
    return forward if forward in there and path not in there else path


def _values(column: Any) -> list[Any]:
    return stripped(column if isinstance(column, list) else column.to_pylist())
