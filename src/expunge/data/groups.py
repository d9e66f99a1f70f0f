"""Groups of test samples: by the mark that each carries, or as a user's file says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.by_id import read_by_id
from expunge.errors import ConfigError, DataError, some

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.spec import DataSpec
    from expunge.types import Samples

GROUPS = "groups"
"""The name of this population."""


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
    return read_by_id(path, "group")


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
