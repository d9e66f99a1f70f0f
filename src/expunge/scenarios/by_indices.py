"""Forget samples by their index in the training data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import ForgetError, some
from expunge.scenarios.base import plain

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows

_EXPECTED = "whole numbers from 0, or a mask of one true or false per sample"


@dataclass(frozen=True)
class ByIndices:
    """The samples at these indices, or where a mask is true.

    Raises:
        ForgetError: they are neither indices nor a mask.
    """

    given: tuple[int, ...] | tuple[bool, ...]

    def __post_init__(self) -> None:
        others = [each for each in self.given if not isinstance(each, int)]
        if others:
            raise ForgetError(f"indices must be {_EXPECTED}, got {some(map(repr, others))}")
        if len({type(each) for each in self.given}) > 1:
            raise ForgetError(f"indices must be {_EXPECTED}, got a mixture of the two")

    @property
    def name(self) -> str:
        """The text form, for example `indices:3 given`."""
        return f"indices:{sum(self.given) if self._is_mask else len(self.given)} given"

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The samples at the indices; no classes.

        Raises:
            ForgetError: an index is out of range or repeated, or the mask has another length.
        """
        import numpy as np

        return np.array(self._rows(samples), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """The number of indices; each must belong to a sample."""
        return len(self._rows(samples))

    @property
    def _is_mask(self) -> bool:
        return isinstance(next(iter(self.given), None), bool)

    def _rows(self, samples: Listed) -> list[int]:
        there = len(samples.ids)
        if self._is_mask:
            if len(self.given) != there:
                raise ForgetError(
                    f"the mask has {len(self.given)} values, expected one for each of the {there} "
                    "training samples"
                )
            return [row for row, chosen in enumerate(self.given) if chosen]
        if outside := [row for row in self.given if not 0 <= row < there]:
            raise ForgetError(f"indices must be in 0..{there - 1}, got {some(outside)}")
        if twice := [row for row, count in Counter(self.given).items() if count > 1]:
            raise ForgetError(f"each index must be given once, got more of {some(twice)}")
        return sorted(self.given)


def by_indices(indices: Iterable[Any]) -> ByIndices:
    """Forget the samples at these indices: numbers, a range, an int array or tensor, or a mask.

    >>> by_indices([3, 4, 5]).name
    'indices:3 given'

    Raises:
        ForgetError: they are neither indices nor a mask.
    """
    # The plain values of arrays and tensors.
    values = indices.tolist() if hasattr(indices, "tolist") else indices
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ForgetError(
            f"expected indices, {_EXPECTED}, or a scenario such as expunge.by_class(3), "
            f"got {values!r:.60}"
        )
    return ByIndices(tuple(map(plain, values)))
