"""Forget one of many numbered random draws of classes: the rest train one subset model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios.base import Parsed
from expunge.scenarios.by_class import ByClass
from expunge.scenarios.by_draw import lowest
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByClassDraw(Parsed):
    """All samples of a share of the classes, in one of many draws that depend on names alone.

    Raises:
        ConfigError: the share is not between 0 and 1, or the number is below 0.
    """

    share: float
    """Part of the classes to forget, between 0 and 1, both excluded."""
    number: int
    """Which draw: 0, 1, 2, ..."""

    def __post_init__(self) -> None:
        check_range("the share of classes to forget", self.share, 0, 1)
        if not 0 < self.share < 1:
            raise ConfigError(
                "the share of classes to forget must be between 0 and 1, both excluded, "
                f"got {self.share!r}"
            )
        check_range("the number of a draw", self.number, 0, None)

    @property
    def name(self) -> str:
        """The text form, for example `classes:0.5:17`."""
        return f"classes:{self.share}:{self.number}"

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """All samples of the drawn classes, and the indices of the classes.

        Raises:
            ForgetError: the share is of no class, or of all.
        """
        return self._classes(samples).select(samples)

    def count(self, samples: Listed) -> int:
        """The number of samples in the drawn classes."""
        return self._classes(samples).count(samples)

    def _classes(self, samples: Listed) -> ByClass:
        return ByClass(drawn_classes(samples.class_names, self.share, self.number))


def by_class_draw(share: float, number: int) -> ByClassDraw:
    """Forget a share of the classes, in the draw of this number.

    >>> by_class_draw(0.5, 17).name
    'classes:0.5:17'

    Raises:
        ConfigError: the share is not between 0 and 1, or the number is below 0.
    """
    return ByClassDraw(share, number)


def drawn_classes(names: Sequence[str], share: float, number: int) -> tuple[int, ...]:
    """The `round(share * C)` of C classes whose hash, of number and name, is lowest; ascending.

    Raises:
        ForgetError: that is no class, or all.
    """
    count = round(share * len(names))
    if not 0 < count < len(names):
        raise ForgetError(
            f"a share of {share:g} of {len(names)} classes is {count}: expected 1 to "
            f"{len(names) - 1} classes to forget"
        )
    return tuple(lowest(names, number, count))
