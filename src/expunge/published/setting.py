"""In which settings an experiment differs from a published one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

UNSET = "none"
"""Stands for a setting that is not set."""


class Difference(NamedTuple):
    """A setting that is not as published."""

    name: str
    """Dotted, as `training.epochs`."""
    published: Any
    ours: Any


def differences(setting: Mapping[str, Any], ours: Mapping[str, Any]) -> list[Difference]:
    """Where settings are not as published, in the order of the published ones.

    Where a published setting is a table, as of edits, ours is to have the same tables; what it
    leaves out in them has its default, which counts as published.

    >>> differences({"training.epochs": 182}, {"training": {"epochs": 16}})
    [Difference(name='training.epochs', published=182, ours=16)]
    >>> differences({"data.train_limit": "none"}, {"data": {"source": "digits"}})
    []
    """
    found: list[Difference] = []
    for name, value in setting.items():
        *path, last = name.split(".")
        table: Any = ours
        for part in path:
            table = table.get(part) if isinstance(table, Mapping) else None
        if not isinstance(table, Mapping):
            found.append(Difference(name, value, UNSET))
        else:
            found += _differing(name, value, table.get(last, UNSET))
    return found


def _differing(name: str, published: Any, ours: Any) -> Iterator[Difference]:
    if isinstance(published, Mapping):
        if not isinstance(ours, Mapping):
            yield Difference(name, published, ours)
            return
        for key in {**published, **ours}:
            if key not in published or (isinstance(published[key], Mapping) and key not in ours):
                there = published.get(key, UNSET), ours.get(key, UNSET)
                yield Difference(f"{name}.{key}", *there)
            elif key in ours:
                yield from _differing(f"{name}.{key}", published[key], ours[key])
    elif ours != published:
        yield Difference(name, published, ours)
