"""Forget one of several folds of the training samples, told apart by hashes of their ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError
from expunge.scenarios.base import Parsed
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByFold(Parsed):
    """The training samples of one fold; a sample's fold depends on its id alone.

    Raises:
        ConfigError: there are fewer than two folds, or this is none of them.
    """

    fold: int
    """Which fold, from 1."""
    folds: int
    """How many there are."""

    def __post_init__(self) -> None:
        check_range("the number of folds", self.folds, 2, None)
        check_range("the fold", self.fold, 1, self.folds)
        for name, value in (("fold", self.fold), ("number of folds", self.folds)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigError(f"the {name} must be a whole number, got {value!r}")

    @property
    def name(self) -> str:
        """The text form, for example `fold:1/5`."""
        return f"fold:{self.fold}/{self.folds}"

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The samples of the fold; no classes."""
        import numpy as np

        return np.array(self._rows(samples), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """The number of samples of the fold."""
        return len(self._rows(samples))

    def _rows(self, samples: Listed) -> list[int]:
        there = folds_of(samples.ids, self.folds)
        return [row for row, fold in enumerate(there) if fold == self.fold]


def by_fold(fold: int, folds: int) -> ByFold:
    """Forget one fold of the training samples; all folds together are all samples, each once.

    >>> by_fold(1, 5).name
    'fold:1/5'

    Raises:
        ConfigError: there are fewer than two folds, or this is none of them.
    """
    return ByFold(fold, folds)


def folds_of(ids: Iterable[str], folds: int) -> list[int]:
    """The fold of every id, 1 to `folds`, whatever other ids there are.

    >>> folds_of(["scan-1", "scan-2", "scan-1"], 5)
    [1, 3, 1]
    """
    return [1 + int.from_bytes(_hash(name)) % folds for name in ids]


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8, person=b"expunge fold").digest()
