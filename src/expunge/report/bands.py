"""How far a mean over seeds may be off: the band around a curve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from expunge.statistics.intervals import paired_t

BAND_NOTE = (
    "Bands: 95 % interval of the mean over seeds (Student’s t), from three seeds on; of two seeds, "
    "whose interval would be eighteen deviations wide, plus and minus one standard deviation; of "
    "one seed, none."
)
"""What bands are."""


@dataclass(frozen=True)
class Band:
    """A range around a mean, in the measure's unit."""

    low: float
    high: float
    kind: Literal["interval", "deviation"]
    """The 95 % interval of the mean, or one standard deviation to each side."""


def band(values: Mapping[int, float]) -> Band | None:
    """The band around the mean of values by seed; None for fewer than two.

    >>> band({0: 1.0, 1: 3.0})
    Band(low=0.5857864376269049, high=3.414213562373095, kind='deviation')
    """
    n = len(values)
    if n < 2:
        return None
    if n > 2:
        found = paired_t([*values.values()])
        return Band(found.low, found.high, "interval")
    mean = math.fsum(values.values()) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values.values()))
    return Band(mean - deviation, mean + deviation, "deviation")
