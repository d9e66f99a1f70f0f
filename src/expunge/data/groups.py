"""Groups of test samples: by the mark that each carries, or as a user's file says."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, DataError, some

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.spec import DataSpec
    from expunge.types import Samples

GROUPS = "groups"
"""The name of this population."""
_HEADER = ["id", "group"]


@dataclass(frozen=True, eq=False)
class Grouped:
    """Test samples, each with its group."""

    samples: Samples
    groups: Tensor
    """int64 `(N,)`: the number of each sample's group."""


def group_names(spec: DataSpec, class_names: Collection[str]) -> tuple[str, ...]:
    """The names of the groups: one for each class whose mark it is, or those of the file.

    Raises:
        ConfigError: the data have neither groups nor an edit with marks.
        DataError: the file cannot be read.
    """
    from expunge.data.edits.apply import marking

    if spec.groups is not None:
        return _names(read_groups(spec.groups))
    found = marking(spec.edits)
    if found is None:
        raise ConfigError(no_groups(spec.source))
    marks, config = found
    return tuple(marks.name(config, of) for of in class_names)


def groups_are_marks(spec: DataSpec) -> bool:
    """Whether the number of a group is that of the class whose mark its samples carry."""
    return spec.groups is None


def grouped(test: Samples, spec: DataSpec) -> Iterator[Grouped]:
    """The test samples with their groups, in parts that fit into memory one by one.

    With a file of groups, there is one part: the test samples that it lists. With an edit that has
    marks, there is a part for each mark: all test samples with that mark.

    Raises:
        ConfigError: the data have neither, or a mark does not fit the images.
        DataError: the file cannot be read, or lists what is no test sample.
    """
    import torch

    from expunge.data.edits.apply import marking
    from expunge.data.splits import subset

    if spec.groups is not None:
        listed = read_groups(spec.groups)
        check_groups(listed, test.ids, spec.groups)
        number = {name: place for place, name in enumerate(_names(listed))}
        rows = [row for row, name in enumerate(test.ids) if name in listed]
        groups = [number[listed[test.ids[row]]] for row in rows]
        samples = subset(test, torch.tensor(rows, dtype=torch.int64))
        yield Grouped(samples, torch.tensor(groups, dtype=torch.int64))
        return
    found = marking(spec.edits)
    if found is None:
        raise ConfigError(no_groups(spec.source))
    marks, config = found
    for mark in range(test.num_classes):
        shown = marks.show(test, config, mark)
        yield Grouped(shown, torch.full((len(test),), mark, dtype=torch.int64))


def no_groups(source: str) -> str:
    """What to say of data without groups."""
    return (
        f"{source} has no groups: give a file of the test samples' groups, or add an edit that has "
        "marks, such as [data.edits.correlate]"
    )


def read_groups(path: str | Path) -> dict[str, str]:
    """The group of each sample by id, from a CSV file with the columns `id` and `group`.

    Raises:
        DataError: the file is missing, is no such CSV, or names a sample twice.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark first.
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise DataError(f"cannot read the groups in {path}: {reason}") from error
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), strict=True)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise DataError(f"{path} is not valid CSV: {error}") from error
    header = [cell.lower() for cell in rows[0]] if rows else []
    if not set(_HEADER) <= set(header):
        raise DataError(f"{path}: expected the columns id and group, got {some(header) or 'none'}")
    columns = [header.index(name) for name in _HEADER]
    listed: dict[str, str] = {}
    for row in rows[1:]:
        name, group = (row[column] if column < len(row) else "" for column in columns)
        if not name or not group:
            raise DataError(f"{path}: the row {','.join(row)!r} lacks an id or a group")
        if name in listed:
            raise DataError(f"{path}: the sample {name} is there twice")
        listed[name] = group
    if not listed:
        raise DataError(f"{path} lists no samples: expected rows with an id and a group")
    return listed


def digest_of(listed: Mapping[str, str]) -> str:
    """Hex digest of samples and their groups, in whatever order they are listed."""
    return hashlib.blake2b(repr(sorted(listed.items())).encode(), digest_size=16).hexdigest()


def check_groups(listed: Mapping[str, str], test: Collection[str], where: str) -> str:
    """Refuse a list of groups that does not fit the test samples; else say what it covers.

    Raises:
        DataError: it lists what is no test sample, or there is only one group.
    """
    others = listed.keys() - set(test)
    if others:
        raise DataError(
            f"{where}: {len(others)} of {len(listed)} ids are not those of test samples: "
            f"{some(sorted(others))}"
        )
    names = _names(listed)
    if len(names) < 2:
        raise DataError(f"{where}: expected two groups or more, got {names[0]} alone")
    left = len(test) - len(listed)
    rest = f"; {left} without a group are left out" if left else ""
    return f"groups: {len(listed)} of {len(test)} test samples in {some(names)}{rest}"


def _names(listed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(set(listed.values())))
