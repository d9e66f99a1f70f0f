"""The score above which a sample is suspected, from the scores of clean samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, DataError
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats


def threshold(clean: Floats, false_positives: float) -> float:
    """The score that at most a share `false_positives` of clean samples exceed, on average.

    Of M scores of clean samples, `(M,)`, it is the k-th smallest with k = ⌈(M+1)(1−α)⌉. A further
    clean sample exceeds it with a probability of at most α, whatever the distribution of scores, if
    it is exchangeable with these M.

    Raises:
        ConfigError: the share is not between 0 and 1.
        DataError: there are fewer than 1/α − 1 clean samples.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005, section 2.2.
    """
    import numpy as np

    check_false_positives(false_positives)
    # Rounded, because 20 × (1 − 0.05) is more than 19 in floating point.
    place = math.ceil(round((len(clean) + 1) * (1 - false_positives), 9))
    if place > len(clean):
        raise DataError(
            f"a false positive rate of {false_positives:g} needs the scores of at least "
            f"{math.ceil(round(1 / false_positives, 9)) - 1} clean samples, got {len(clean)}"
        )
    return float(np.sort(clean)[place - 1])


def check_false_positives(share: float) -> None:
    """Refuse a rate of false positives that is not between 0 and 1.

    Raises:
        ConfigError: it is 0 or less, or 1 or more.
    """
    check_range("false_positives", share, 0, 1)
    if not 0 < share < 1:
        raise ConfigError(f"false_positives must be between 0 and 1, both excluded, got {share!r}")
