"""Registry entries that other packages add through entry points."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol, TypeVar

from expunge.errors import ConfigError


class Named(Protocol):
    """An entry of a registry."""

    @property
    def name(self) -> str:
        """The name to look it up by."""
        ...


T = TypeVar("T", bound=Named)


def with_added(group: str, cls: type[T], built_in: Iterable[T]) -> dict[str, T]:
    """Every entry by name: the built-in ones, then the entry points of `group`.

    Raises:
        ConfigError: an entry point is not a `cls`, or reuses a name.
    """
    found = {entry.name: entry for entry in built_in}
    for point in entries(group):
        added = point.load()
        noun = cls.__name__
        if not isinstance(added, cls):
            raise ConfigError(
                f"entry point {point.value!r} must name an expunge.{noun}, got {type(added)}"
            )
        if added.name in found:
            raise ConfigError(
                f"entry point {point.value!r}: {noun.lower()} {added.name!r} exists already"
            )
        found[added.name] = added
    return found


@lru_cache
def entries(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, cached because the search is slow."""
    return tuple(entry_points(group=group))
