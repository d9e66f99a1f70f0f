"""Forget whole classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, ForgetError, shown, some
from expunge.scenarios.base import Parsed

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByClass(Parsed):
    """All samples of some classes.

    Raises:
        ConfigError: no class is given, or a value that is neither an index nor a name.
    """

    classes: tuple[int | str, ...]
    """Classes by index or name; a string that is not a class name is read as an index."""

    def __post_init__(self) -> None:
        if not self.classes:
            raise ConfigError("by_class needs at least one class, as an index or a name")
        for given in self.classes:
            if isinstance(given, bool) or not isinstance(given, int | str) or given == "":
                raise ConfigError(f"a class must be an index or a name, got {given!r}")

    @property
    def name(self) -> str:
        """The text form, for example `class:3,cat`."""
        return "class:" + ",".join(map(str, self.classes))

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """All samples of the classes, and the indices of the classes.

        Raises:
            ForgetError: a class is unknown.
        """
        import numpy as np

        classes = self._indices(samples)
        return np.flatnonzero(np.isin(np.asarray(samples.labels), classes)), tuple(classes)

    def count(self, samples: Listed) -> int:
        """The number of samples in the classes."""
        labels = samples.labels
        classes = set(self._indices(samples))
        # Planning passes a tuple of ints, and must not need arrays.
        numbers = labels if isinstance(labels, tuple) else labels.tolist()
        return sum(number in classes for number in numbers)

    def _indices(self, samples: Listed) -> list[int]:
        return sorted({_index(given, samples.class_names) for given in self.classes})


def by_class(*classes: int | str) -> ByClass:
    """Forget all samples of these classes, each given by index or by name.

    >>> by_class(3, "cat").name
    'class:3,cat'

    Raises:
        ConfigError: no class is given, or a value that is neither an index nor a name.
    """
    return ByClass(classes)


def _index(given: int | str, names: tuple[str, ...]) -> int:
    if isinstance(given, str) and given in names:
        return names.index(given)
    try:
        # isdecimal() rejects signs: class -1 must not mean the last one.
        index = int(given) if isinstance(given, int) or given.isdecimal() else -1
    except ValueError:  # thousands of digits
        index = -1
    if not 0 <= index < len(names):
        raise ForgetError(
            f"unknown class {shown(given)}: expected an index in 0..{len(names) - 1} "
            f"or one of {some(names)}"
        )
    return index
