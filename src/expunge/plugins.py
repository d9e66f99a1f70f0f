"""What other packages add to a registry, by entry points."""

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
        """How it is asked for."""
        ...


T = TypeVar("T", bound=Named)


def with_added(group: str, cls: type[T], built_in: Iterable[T]) -> dict[str, T]:
    """Every entry by name: the project's own, then what packages add as entry points of `group`.

    Raises:
        ConfigError: an added entry is no `cls`, or takes a name that is already there.
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
    """The entry points of a group; looking for them takes a while, so they are looked for once."""
    return tuple(entry_points(group=group))
