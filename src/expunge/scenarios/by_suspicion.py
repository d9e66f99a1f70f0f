"""Forget the samples that a detector suspects of being poisoned or mislabelled."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.detectors import get_detector
from expunge.errors import ForgetError
from expunge.scenarios.base import Parsed

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class BySuspicion(Parsed):
    """The training samples that a detector suspects.

    Raises:
        ConfigError: no detector has this name.
    """

    detector: str
    """The detector's name, such as `spectral_signatures`."""
    ids: tuple[str, ...] | None = None
    """The ids of the suspects; None if they are not looked for yet."""

    def __post_init__(self) -> None:
        get_detector(self.detector)

    @property
    def name(self) -> str:
        """The text form, for example `suspected:strip`."""
        return f"suspected:{self.detector}"

    def undecided(self, pending: Collection[str]) -> bool:
        """Whether the suspects are still to be looked for."""
        return self.ids is None

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The suspects; no classes.

        Raises:
            ForgetError: there are none, or they are not known.
        """
        import numpy as np

        return np.array(self._rows(samples), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """The number of suspects."""
        return len(self._rows(samples))

    def _rows(self, samples: Listed) -> list[int]:
        if self.ids is None:
            raise ForgetError(
                f"{self.name!r} needs a model to look for suspects with: expunge unlearn does that"
            )
        if not self.ids:
            raise ForgetError(
                f"{self.name!r} forgets nothing: {self.detector} suspects none of "
                f"{len(samples.ids)} training samples; allow more false positives, or try another "
                "detector"
            )
        suspected = set(self.ids)
        return [row for row, name in enumerate(samples.ids) if name in suspected]


def by_suspicion(detector: str) -> BySuspicion:
    """Forget the samples that the detector called `detector` suspects.

    >>> by_suspicion("strip").name
    'suspected:strip'

    Raises:
        ConfigError: no detector has this name.
    """
    return BySuspicion(detector)
