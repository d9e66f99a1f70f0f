"""Forget one of many numbered random draws: what is left trains one subset model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from expunge.errors import ConfigError
from expunge.scenarios.base import Parsed
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByDraw(Parsed):
    """A share of the training samples, in one of many draws that depend on the ids alone.

    So models of every seed, and data in any order, have the same draws.

    Raises:
        ConfigError: the share is not between 0 and 1, or the number is below 0.
    """

    share: float
    """Part of the training samples to forget, between 0 and 1, both excluded."""
    number: int
    """Which draw: 0, 1, 2, ..."""

    def __post_init__(self) -> None:
        check_range("the share to forget", self.share, 0, 1)
        if not 0 < self.share < 1:
            raise ConfigError(
                f"the share to forget must be between 0 and 1, both excluded, got {self.share!r}"
            )
        check_range("the number of a draw", self.number, 0, None)

    @property
    def name(self) -> str:
        """The text form, for example `draw:0.5:17`."""
        return f"draw:{self.share}:{self.number}"

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The `round(share * N)` samples whose hash, of number and id, is lowest; no classes."""
        import numpy as np

        return np.array(lowest(samples.ids, self.number, self.count(samples)), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """`round(share * N)`."""
        return round(self.share * len(samples.ids))


def by_draw(share: float, number: int) -> ByDraw:
    """Forget a share of the training samples, in the draw of this number.

    >>> by_draw(0.5, 17).name
    'draw:0.5:17'

    Raises:
        ConfigError: the share is not between 0 and 1, or the number is below 0.
    """
    return ByDraw(share, number)


def lowest(names: Sequence[str], number: int, count: int) -> list[int]:
    """The ascending rows of the `count` names with the lowest hash of number and name."""
    order = sorted(range(len(names)), key=lambda row: _hash(number, names[row]))
    return sorted(order[:count])


def _hash(number: int, name: str) -> bytes:
    return blake2b(f"{number}:{name}".encode(), digest_size=16).digest()
