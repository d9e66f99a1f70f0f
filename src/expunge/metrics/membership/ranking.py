"""How well scores tell members from non-members, whatever threshold an attacker would choose."""

import math

import numpy as np

from expunge.metrics.arrays import FloatArray


def area_under_curve(members: FloatArray, others: FloatArray) -> float:
    """Percentage of pairs in which the member scores higher; a tie counts half. 50 is guessing.

    Args:
        members: scores `(N,)`, at least one.
        others: scores of non-members `(M,)`, at least one.

    >>> import numpy as np
    >>> area_under_curve(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
    87.5
    """
    ranked = np.sort(others)
    below = np.searchsorted(ranked, members, side="left")
    not_above = np.searchsorted(ranked, members, side="right")
    return 100.0 * float((below + not_above).mean()) / (2 * len(others))


def true_positive_rate(members: FloatArray, others: FloatArray, false_positives: float) -> float:
    """Percentage of members found where at most `false_positives` percent of others are accused.

    The threshold is the best that keeps to it. With fewer than 100 / `false_positives` others, that
    is a threshold that accuses none.

    Args:
        members: scores `(N,)`, at least one.
        others: scores of non-members `(M,)`, at least one.
        false_positives: in percent, below 100.

    Source: Carlini et al., IEEE S&P 2022: an attack is judged by those it is sure of.

    >>> import numpy as np
    >>> true_positive_rate(np.array([0.9, 0.8, 0.2, 0.1]), np.array([0.85, 0.1, 0.0]), 10.0)
    25.0
    """
    # 76.999... is 77 false positives, 0.7 per cent of 11,000.
    allowed = math.floor(false_positives * len(others) / 100 + 1e-9)
    first_refused = np.sort(others)[len(others) - 1 - allowed]
    return 100.0 * float(np.mean(members > first_refused))
