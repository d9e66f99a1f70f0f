"""Samples from a folder of image files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from expunge.data.columns import LABEL_NAMES
from expunge.data.decode import SUFFIXES, Encoded, decode_parts
from expunge.data.identity import given_ids
from expunge.data.inputs.images import StreamedImages
from expunge.data.layout import Layout, lay_out
from expunge.data.metadata import FILE_NAME, FILES, Metadata, read_metadata
from expunge.data.places import Tree
from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec, refuse
from expunge.data.tables import Labels, Table, check_labels, join
from expunge.errors import DataError, some, unknown
from expunge.types import Samples

_CHUNK = 256
_UNREADABLE = (".heic", ".heif", ".svg", ".jxl", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng",
               ".orf", ".rw2", ".psd", ".eps")  # fmt: skip
"""Kinds of pictures that are common, but not read."""


def images_in(tree: Tree) -> tuple[str, ...]:
    """The image files of a folder, in order."""
    return tuple(name for name in tree.files if name.lower().endswith(SUFFIXES))


def read_images(
    folder: Path, tree: Tree, spec: DataSpec, aside: Path, name: str
) -> dict[Role, Samples]:
    """The images of `folder`, with the labels of their folders or of metadata files.

    Decoded images become files `ROLE.inputs.npy` in `aside`.

    Raises:
        ConfigError: a setting does not apply.
        DataError: an image has no label or id, or cannot be decoded; the message names it.
    """
    refuse(spec, "config", "image_column")
    images = images_in(tree)
    found = [each for each in tree.files if each.rpartition("/")[2].lower() in FILES]
    metadata = read_metadata(folder, found, images) if found else None
    column = _label_column(metadata, spec)
    layout = lay_out(images, spec, labelled=column is not None)
    if column is None:
        _check_classes(layout, folder)
    encoded = {role: _Files(folder, paths) for role, paths in layout.parts.items()}
    read = {}
    for role, paths in layout.parts.items():
        ids, ids_from = _ids(role, paths, metadata, spec, folder)
        read[role] = _labels(paths, layout, metadata, column, folder), ids, ids_from
    arrays, decoding = decode_parts(encoded, spec, aside)
    notes = (*_left_out(tree, images), *layout.notes)
    if metadata is not None:
        notes += _metadata_notes(metadata, layout, column, spec)
    tables = {
        role: Table(
            StreamedImages(array),
            read[role][0],
            where=f"{folder}, {role}",
            ids=read[role][1],
            ids_from=read[role][2],
            notes=(*notes, *decoding) if role == "train" else (),
        )
        for role, array in arrays.items()
    }
    return join(tables, name)


class _Files:
    """Image files in chunks; can be iterated several times."""

    def __init__(self, folder: Path, paths: Sequence[str]) -> None:
        self._folder = folder
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def name(self, row: int) -> str:
        """What messages call an image."""
        return str(self._folder / self._paths[row])

    def chunks(self) -> Iterator[list[Encoded]]:
        for start in range(0, len(self._paths), _CHUNK):
            yield [self._folder / path for path in self._paths[start : start + _CHUNK]]


def _label_column(metadata: Metadata | None, spec: DataSpec) -> str | None:
    columns = () if metadata is None else metadata.columns
    if spec.label_column is not None:
        if spec.label_column not in columns:
            raise DataError(
                f"{spec.source}: {unknown('column', spec.label_column, columns)}"
                if metadata is not None
                else f"{spec.source}: label_column is {spec.label_column!r}, but there is no "
                f"metadata.csv"
            )
        return spec.label_column
    return next((name for name in LABEL_NAMES if name in columns), None)


def _check_classes(layout: Layout, folder: Path) -> None:
    """Refuse images without a class."""
    for paths in layout.parts.values():
        lost = [path for path in paths if path not in layout.classes]
        if lost:
            raise DataError(
                f"{folder}: {len(lost)} of {len(paths)} images are in no class folder, such as "
                f"{lost[0]}: expected a folder for each class, or a metadata.csv with the columns "
                f"{FILE_NAME} and label"
            )


def _labels(
    paths: Sequence[str],
    layout: Layout,
    metadata: Metadata | None,
    column: str | None,
    folder: Path,
) -> Labels:
    if metadata is None or column is None:
        return check_labels([layout.classes[path] for path in paths], str(folder))
    values = _column(paths, metadata, column, folder, "label")
    return check_labels(values, f"{folder}, column {column!r}")


def _ids(
    role: Role, paths: Sequence[str], metadata: Metadata | None, spec: DataSpec, folder: Path
) -> tuple[tuple[str, ...], str]:
    """The ids of a part, and where they come from; none if they are to be hashes.

    Only training samples need the ids that are asked for: they are what is forgotten.
    """
    column = spec.id_column
    if column is None:
        return (), ""
    known = (FILE_NAME, *(() if metadata is None else metadata.columns))
    if column not in known:
        raise DataError(f"{folder}: {unknown('column', column, known)}")
    if metadata is None or not any(path in metadata.rows for path in paths):
        if column == FILE_NAME:
            return tuple(paths), f"paths below {folder}"
        if role != "train" or metadata is None:
            return (), ""
    values = _column(paths, metadata, column, folder, "id")
    return given_ids(
        values, f"{folder}, column {column!r}"
    ), f"column {column!r} of {metadata.name}"


def _column(
    paths: Sequence[str], metadata: Metadata, column: str, folder: Path, what: str
) -> list[Any]:
    """A column's value for every image.

    Raises:
        DataError: an image has no row, or no value in it.
    """
    lost = [path for path in paths if path not in metadata.rows]
    if lost:
        strange = metadata.without_images(paths)
        hint = f"; it names others, such as {strange[0]}" if strange else ""
        raise DataError(
            f"{folder}: {len(lost)} images are not in {metadata.name} and so have no {what}: "
            f"{some(lost)}{hint}"
        )
    values = [metadata.rows[path].get(column) for path in paths]
    empty = [path for path, value in zip(paths, values, strict=True) if value is None]
    if empty:
        raise DataError(
            f"{folder}: {len(empty)} images have no {what} in the column {column!r} of "
            f"{metadata.name}: {some(empty)}"
        )
    return values


def _left_out(tree: Tree, images: Sequence[str]) -> tuple[str, ...]:
    """What is in the folder besides images and metadata."""
    read = set(images)
    rest = [
        name
        for name in tree.files
        if name not in read and name.rpartition("/")[2].lower() not in FILES
    ]
    pictures = [name for name in rest if name.lower().endswith(_UNREADABLE)]
    others = [name for name in rest if name not in pictures]
    within = {name[:at] for name in images for at, char in enumerate(name) if char == "/"}
    empty = [name for name in tree.folders if name not in within]
    said = {
        "pictures of kinds that are not read, convert them to JPEG or PNG": pictures,
        "files that are not images": others,
        "hidden files and folders": tree.hidden,
        "links to nothing or to a folder above, and what is no regular file": tree.broken,
        "folders without images": empty,
    }
    return tuple(
        f"left out ({len(names)}) {what}: {some(names, 5)}" for what, names in said.items() if names
    )


def _metadata_notes(
    metadata: Metadata, layout: Layout, column: str | None, spec: DataSpec
) -> tuple[str, ...]:
    images = [path for paths in layout.parts.values() for path in paths]
    labels = f"the column {column!r} of {metadata.name}" if column else "the names of folders"
    notes = [f"the labels are {labels}"]
    unused = [name for name in metadata.columns if name not in (column, spec.id_column)]
    if unused:
        notes.append(f"columns of {metadata.name} that are not used: {some(unused)}")
    strange = metadata.without_images(images)
    if strange:
        notes.append(
            f"{metadata.name} names {len(strange)} images that are not there: {some(strange, 5)}"
        )
    if column is None:
        lost = [path for path in images if path not in metadata.rows]
        if lost:
            notes.append(f"{len(lost)} images are not in {metadata.name}: {some(lost, 5)}")
        return tuple(notes)
    other = [
        f"{path} is {metadata.rows[path].get(column)}"
        for path in images
        if path in layout.classes and str(metadata.rows[path].get(column)) != layout.classes[path]
    ]
    if other:
        notes.append(
            f"{len(other)} of {len(images)} images have another label than the name of their "
            f"folder: {some(other, 3)}"
        )
    return tuple(notes)
