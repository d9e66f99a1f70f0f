"""A cheap guess at influences, from one model: how near classes are to the target by features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Labels = npt.NDArray[np.int64]


def class_similarity(source: Floats, labels: Labels, target: Floats, classes: int) -> Floats:
    """For each source class, the mean cosine between its mean feature and the target's features.

    Features are centred on the mean over all source classes, so that what all images share does not
    count. A class without samples has similarity 0.

    Args:
        source: features `(N, F)` of source samples.
        labels: their classes, `(N,)`.
        target: features `(M, F)` of target samples.
        classes: how many source classes there are.
    """
    means = np.zeros((classes, source.shape[1]))
    for index in range(classes):
        mine = source[labels == index]
        if len(mine):
            means[index] = mine.mean(0)
    there = np.isin(np.arange(classes), labels)
    centre = means[there].mean(0)
    own = _unit(means - centre)
    found: Floats = (own @ _unit(target - centre).T).mean(1)
    found[~there] = 0.0
    return found


def _unit(rows: Floats) -> Floats:
    """Rows of length 1; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Floats = rows / np.where(lengths > 0, lengths, 1.0)
    return found
