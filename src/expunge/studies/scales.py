"""Scales of a recipe: the same experiment at another size, as a table beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from expunge.errors import ConfigError, shown, unknown

SCALES = "scales"
PAPER = "paper"
"""The scale of a recipe's own tables."""


def scales_of(tables: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The scales of a recipe; the first is that of its own tables.

    Raises:
        ConfigError: `scales` does not hold tables.
    """
    given = tables.get(SCALES, {})
    if not isinstance(given, Mapping) or not all(
        isinstance(each, Mapping) for each in given.values()
    ):
        raise ConfigError(f"{where}: {SCALES} must be tables such as [{SCALES}.cpu]")
    if PAPER in given:
        raise ConfigError(
            f"{where}: the recipe's own tables are its scale {PAPER!r}: choose another name for "
            f"[{SCALES}.{PAPER}]"
        )
    return (PAPER, *given)


def at_scale(tables: Mapping[str, Any], scale: str, where: str) -> dict[str, Any]:
    """The tables of a recipe at one of its scales, without its scales.

    A scale's tables are merged over the recipe's, table by table; a list or a plain value replaces,
    and `false` in the place of a table takes it out.

    Raises:
        ConfigError: there is no such scale.
    """
    there = scales_of(tables, where)
    if scale not in there:
        raise ConfigError(f"{where}: {unknown('scale', scale, there)}")
    own = {name: value for name, value in tables.items() if name != SCALES}
    if scale == PAPER:
        return own
    changes = tables[SCALES][scale]
    if SCALES in changes:
        raise ConfigError(
            f"{where}: {SCALES}.{scale}: a scale has no {SCALES}, got {shown(changes[SCALES])}"
        )
    return _merged(own, changes)


def placed(where: str, scale: str) -> str:
    """Where a setting stands, for messages: the file, and its scale if that is not the paper's."""
    return where if scale == PAPER else f"{where}: at scale {scale}"


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        there = merged.get(name)
        if value is False and isinstance(there, Mapping):
            del merged[name]
        elif isinstance(value, Mapping) and isinstance(there, Mapping):
            merged[name] = _merged(there, value)
        else:
            merged[name] = value
    return merged
