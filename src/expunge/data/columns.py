"""Samples from named columns: numbers are the features of vectors, lists of ids are tokens."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from expunge.data.identity import given_ids
from expunge.data.inputs.tokens import NAMES, Tokens
from expunge.data.inputs.vectors import Vectors
from expunge.data.spec import DataSpec
from expunge.data.tables import Table, check_labels
from expunge.errors import DataError, some, unknown

LABEL_NAMES = ("label", "labels", "fine_label", "target", "targets", "class", "cls", "y")
"""The usual names of a column of labels."""

Columns = Mapping[str, Any]
"""By name: lists of text from a CSV file, or Arrow columns."""


def table_of_columns(
    columns: Columns, spec: DataSpec, where: str, class_names: tuple[str, ...] | None = None
) -> Table:
    """Tokens if there is a column `input_ids`; else vectors of all columns except label and id.

    The label is the column that the spec names, or one with a usual name; ids are the column that
    the spec names, or the column `id`. Text labels and ids stay text, without white space around
    them.

    Raises:
        DataError: a column is missing or not valid; the message names it.
    """
    label = _label_column(columns, spec, where)
    name = _id_column(columns, spec, where)
    labels = check_labels(stripped(_values(columns[label])), f"{where}, column {label!r}")
    ids: tuple[str, ...] = ()
    if name is not None:
        ids = given_ids(stripped(_values(columns[name])), f"{where}, column {name!r}")
    rest = {each: column for each, column in columns.items() if each not in (label, name)}
    inputs: Tokens | Vectors
    features: tuple[str, ...] = ()
    if "input_ids" in rest:
        inputs = _tokens(rest, where)
        unused = [each for each in rest if each not in NAMES]
        said = f"; columns that are not used: {some(unused)}" if unused else ""
    else:
        inputs, features = _vectors(rest, where), tuple(rest)
        said = f", the features are {_counted(features)}"
    return Table(
        inputs,
        labels,
        where=where,
        class_names=class_names,
        ids=ids,
        features=features,
        ids_from=f"column {name!r}",
        notes=(f"the labels are the column {label!r}{said}",),
    )


def stripped(values: Sequence[Any]) -> list[Any]:
    """Values of a column, texts without white space around them; an empty text is None."""
    return [(value.strip() or None) if isinstance(value, str) else value for value in values]


def _counted(columns: Sequence[str]) -> str:
    return f"the {'column' if len(columns) == 1 else 'columns'} {some(columns)}"


def _label_column(columns: Columns, spec: DataSpec, where: str) -> str:
    if spec.label_column is not None:
        if spec.label_column not in columns:
            raise DataError(f"{where}: {unknown('column', spec.label_column, columns)}")
        return spec.label_column
    for name in LABEL_NAMES:
        if name in columns:
            return name
    raise DataError(
        f"{where}: cannot tell which column holds the labels: pass label_column, "
        f"one of {some(columns)}"
    )


def _id_column(columns: Columns, spec: DataSpec, where: str) -> str | None:
    if spec.id_column is None:
        return "id" if "id" in columns else None
    if spec.id_column not in columns:
        raise DataError(f"{where}: {unknown('column', spec.id_column, columns)}")
    return spec.id_column


def _values(column: Any) -> list[Any]:
    return column if isinstance(column, list) else column.to_pylist()


def _vectors(columns: Columns, where: str) -> Vectors:
    if not columns:
        raise DataError(f"{where} has no column beside label and id: expected columns of numbers")
    numbers = [_numbers(column, f"{where}, column {name!r}") for name, column in columns.items()]
    return Vectors(torch.from_numpy(np.stack(numbers, 1)))


def _numbers(column: Any, where: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    values = _values(column)
    numbers = np.empty(len(values), np.float64)
    for row, value in enumerate(values):
        try:
            # Python reads 1_000 as a number, but files do not use this form.
            numbers[row] = float("_" if isinstance(value, str) and "_" in value else value)
        except (TypeError, ValueError):
            raise DataError(f"{where}, row {row}: expected a number, got {value!r}") from None
    with np.errstate(over="ignore"):
        narrow = numbers.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(narrow))
    if len(bad):
        raise DataError(
            f"{where}, row {bad[0]}: expected a finite number of float32, got {values[bad[0]]!r}"
        )
    return narrow


def _tokens(columns: Columns, where: str) -> Tokens:
    missing = [name for name in NAMES[:2] if name not in columns]
    if missing:
        raise DataError(
            f"{where}: tokens need the columns {NAMES[0]} and {NAMES[1]}, got {some(columns)}"
        )
    rows = {
        name: _lists(columns[name], f"{where}, column {name!r}")
        for name in NAMES
        if name in columns
    }
    lengths = [len(row) for row in rows["input_ids"]]
    for name, lists in rows.items():
        for row, (one, length) in enumerate(zip(lists, lengths, strict=True)):
            if len(one) != length:
                raise DataError(
                    f"{where}, column {name!r}, row {row}: expected {length} numbers, as many as "
                    f"input_ids has, got {len(one)}"
                )
    padded = {}
    for name, lists in rows.items():
        padded[name] = np.zeros((len(lengths), max(lengths, default=0)), np.int64)
        for row, one in enumerate(lists):
            padded[name][row, : len(one)] = one
    try:
        return Tokens({name: torch.from_numpy(ids) for name, ids in padded.items()})
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _lists(column: Any, where: str) -> Sequence[Sequence[int]]:
    rows = _values(column)
    for row, one in enumerate(rows):
        if not isinstance(one, list) or not all(isinstance(each, int) for each in one):
            raise DataError(
                f"{where}, row {row}: expected a list of whole numbers, got {one!r:.60}"
            )
    return rows
