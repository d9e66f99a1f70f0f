"""Right labels in place of wrong ones, from a user's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from expunge.data.by_id import digest_of, read_by_id
from expunge.errors import DataError, some

if TYPE_CHECKING:
    from expunge.types import Dataset


def read_labels(
    path: str, ids: Sequence[str], labels: Sequence[int], class_names: Sequence[str]
) -> dict[str, int]:
    """The class of each training sample by id that the file gives another label than it has.

    Args:
        path: a CSV file with the columns `id` and `label`, a class's name or number.
        ids: of the training samples.
        labels: the classes that they have.
        class_names: of all classes.

    Raises:
        DataError: the file cannot be read, names what is no training sample or no class, or changes
            nothing.
    """
    listed = read_by_id(path, "label")
    had = dict(zip(ids, labels, strict=True))
    others = [name for name in listed if name not in had]
    if others:
        raise DataError(
            f"{path}: {len(others)} of {len(listed)} ids are not those of training samples: "
            f"{some(others)}"
        )
    given = {name: _class(text, class_names, path) for name, text in listed.items()}
    changed = {name: label for name, label in given.items() if label != had[name]}
    if not changed:
        raise DataError(f"{path} changes no label: all {len(listed)} samples have theirs already")
    return changed


def labels_digest(path: str) -> str:
    """Hex digest of the labels in a file.

    Raises:
        DataError: the file cannot be read.
    """
    return digest_of(read_by_id(path, "label"))


def corrected(dataset: Dataset, labels: Mapping[str, int]) -> Dataset:
    """The data with these labels of training samples, by id; ids that are not there are ignored."""
    from expunge.data.edits.drawing import changed

    train = dataset.train
    new = train.labels.clone()
    for row, name in enumerate(train.ids):
        if name in labels:
            new[row] = labels[name]
    return replace(dataset, train=changed(train, labels=new))


def _class(text: str, class_names: Sequence[str], path: str) -> int:
    if text in class_names:
        return list(class_names).index(text)
    if text.isdecimal() and len(text) < 10 and int(text) < len(class_names):
        return int(text)
    raise DataError(
        f"{path}: unknown label {text!r}: expected an index in 0..{len(class_names) - 1} or one of "
        f"{some(class_names)}"
    )
