"""Inputs with the labels of their source, and how those become class indices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from expunge.data.classes import numbered, sorted_names
from expunge.data.identity import content_ids, fingerprint
from expunge.data.inputs.tokens import Tokens
from expunge.data.sources.source import Role
from expunge.errors import DataError, some
from expunge.types import Inputs, Samples

Labels = np.ndarray[Any, np.dtype[Any]]
"""int64 numbers of 0 or more, or texts; `(N,)`."""


@dataclass(frozen=True, eq=False)
class Table:
    """Inputs and labels of one split of a source.

    Raises:
        DataError: it is empty, or labels and inputs differ in number.
    """

    inputs: Inputs
    labels: Labels
    where: str
    """Its name in messages."""
    class_names: tuple[str, ...] | None = None
    """The class names of the label numbers, if the source has them."""
    ids: tuple[str, ...] = ()
    """A unique id per sample; if empty, ids are hashes of the inputs."""
    features: tuple[str, ...] = ()
    """The names of the features of vectors, in order, if the source has them."""
    ids_from: str = "given with the data"
    """Where given ids come from."""
    notes: tuple[str, ...] = ()
    """What a person should know about how it was read."""

    def __post_init__(self) -> None:
        count = len(self.inputs)
        if count == 0:
            raise DataError(f"{self.where} is empty: expected at least one sample")
        there = f"{self.where} has {count} {self.inputs.kind}"
        if len(self.labels) != count:
            raise DataError(f"{there} but {len(self.labels)} labels")
        if not self.ids:
            object.__setattr__(self, "ids", content_ids(self.inputs))
            object.__setattr__(self, "ids_from", "")
        if len(self.ids) != count:
            raise DataError(f"{there} but {len(self.ids)} ids")


def check_labels(values: object, where: str) -> Labels:
    """The labels as an array of int64 or of text.

    Raises:
        DataError: a label is missing, negative, or neither an integer nor a text.
    """
    labels = np.asarray(values)
    if labels.dtype.kind == "O":
        missing = [row for row, label in enumerate(labels.tolist()) if label is None]
        if missing:
            raise DataError(f"{where}: rows without a label: {some(missing)}")
        if not all(isinstance(label, str) for label in labels.tolist()):
            raise DataError(f"{where}: labels must be all integers or all texts, got a mixture")
        labels = labels.astype(np.str_)
    if labels.ndim != 1 or labels.dtype.kind not in "iuUT":
        raise DataError(
            f"{where}: labels must be one integer or text per sample, "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    if labels.dtype.kind not in "iu":
        return labels.astype(np.str_)
    negative = np.flatnonzero(labels < 0)
    if len(negative):
        raise DataError(
            f"{where}: {len(negative)} labels are negative, the first in row {negative[0]}: "
            "expected class numbers from 0; such a split may be unlabelled"
        )
    return labels.astype(np.int64)


def shared_classes(tables: Sequence[Table]) -> tuple[Labels, tuple[str, ...]]:
    """The labels of all classes in the order of their indices, and the names of the classes.

    Named classes keep their numbers, and so do labels that are numbers: the classes are 0 to the
    largest. The classes of texts are all texts of all tables, sorted.

    Raises:
        DataError: the tables disagree about the classes, or a number is too large.
    """
    names = tables[0].class_names
    for table in tables[1:]:
        if table.class_names != names:
            raise DataError(
                f"{table.where} and {tables[0].where} name their classes differently: "
                f"{_listed(table.class_names)} and {_listed(names)}"
            )
        if table.labels.dtype.kind != tables[0].labels.dtype.kind:
            raise DataError(
                f"labels are numbers in one of {table.where} and {tables[0].where}, and texts in "
                "the other: expected the same kind in both"
            )
    if names is not None:
        return np.arange(len(names)), names
    if tables[0].labels.dtype.kind == "U":
        names = sorted_names(name for table in tables for name in table.labels.tolist())
        return np.asarray(names), names
    highest = max(tables, key=lambda table: int(table.labels.max()))
    names = numbered(int(highest.labels.max()), highest.where)
    return np.arange(len(names)), names


def to_samples(table: Table, classes: Labels, class_names: tuple[str, ...], name: str) -> Samples:
    """Samples whose label is the position of the table's label in `classes`.

    Raises:
        DataError: a label is not among the classes.
    """
    if table.labels.dtype.kind != classes.dtype.kind:
        raise DataError(
            f"{table.where}: labels are {table.labels.dtype}, "
            f"but the classes are {_listed(class_names)}"
        )
    order = np.argsort(classes, kind="stable")
    place = np.searchsorted(classes, table.labels, sorter=order).clip(max=len(classes) - 1)
    position = order[place]
    strange = np.flatnonzero(classes[position] != table.labels)
    if len(strange):
        row = int(strange[0])
        raise DataError(
            f"{table.where}, row {row}: label {table.labels[row]!s} is not one of the "
            f"{len(classes)} classes {_listed(class_names)}"
        )
    labels = torch.from_numpy(position.astype(np.int64))
    return Samples(
        inputs=table.inputs,
        labels=labels,
        ids=table.ids,
        class_names=class_names,
        name=name,
        fingerprint=fingerprint(table.inputs, labels, table.ids, class_names),
        ids_from=table.ids_from,
        notes=table.notes,
    )


def join(tables: Mapping[Role, Table], name: str) -> dict[Role, Samples]:
    """Samples of all tables, with the same classes; tokens are padded to the same length.

    Raises:
        DataError: the tables disagree about the classes or the features.
    """
    classes, class_names = shared_classes(tuple(tables.values()))
    first = next(iter(tables.values()))
    for table in tables.values():
        if table.features != first.features:
            raise DataError(
                f"{table.where}: expected the columns {some(first.features)}, in the order of "
                f"{first.where}, got {some(table.features)}"
            )
    length = max(table.inputs.shape[0] for table in tables.values())
    return {
        role: to_samples(_padded(table, length), classes, class_names, name)
        for role, table in tables.items()
    }


def _padded(table: Table, length: int) -> Table:
    tokens = table.inputs
    return replace(table, inputs=tokens.padded(length)) if isinstance(tokens, Tokens) else table


def _listed(names: Sequence[str] | None) -> str:
    return "no names" if names is None else some(names)
