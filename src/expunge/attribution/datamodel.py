"""The linear datamodelling score: do scores predict what models trained on subsets answer?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating]
    Flags = npt.NDArray[np.bool_]

RESAMPLES = 1000
FEWEST = 3
"""Subsets; fewer have no rank correlation worth the name."""


@dataclass(frozen=True)
class Lds:
    """A mean of rank correlations over targets, with its interval over subsets."""

    mean: float
    low: float
    """95 %, percentiles of a bootstrap over subsets."""
    high: float
    subsets: int
    targets: int
    """Targets with a correlation."""
    constant: int
    """Targets that are left out, because all subset models, or all sums, agree on them."""


def linear_datamodelling_score(
    scores: Floats, kept: Flags, outputs: Floats, seed: int, resamples: int = RESAMPLES
) -> Lds:
    """Spearman's ρ, over subsets, of the summed scores and the subset models' outputs.

    For each target t and subset S, the prediction is Σ_{i in S} scores[t, i]; ρ is averaged over
    targets. Any output that rises with the target's margin gives the same, as the negative loss
    does.

    Source: Park et al., TRAK: Attributing Model Behavior at Scale, ICML 2023, section 2.

    Args:
        scores: `(T, N)`, above zero where a sample helps.
        kept: `(K, N)`: the training samples of each subset model.
        outputs: `(K, T)`: what the subset models answer.
        seed: of the bootstrap.
        resamples: how many.

    Raises:
        DataError: the shapes do not fit, or there are too few subsets.
    """
    import numpy as np

    subsets = len(kept)
    if scores.shape != (outputs.shape[1], kept.shape[1]) or len(outputs) != subsets:
        raise DataError(
            f"expected scores (T, N), kept (K, N) and outputs (K, T), got {scores.shape}, "
            f"{kept.shape} and {outputs.shape}"
        )
    predicted = np.asarray(kept, np.float64) @ np.asarray(scores, np.float64).T
    return agreement(predicted, np.asarray(outputs, np.float64), seed, resamples)


def agreement(one: Floats, other: Floats, seed: int, resamples: int = RESAMPLES) -> Lds:
    """Spearman's ρ over subsets of two sets of outputs `(K, T)`, averaged over targets.

    Of the outputs of two retrainings of the same subsets it is how well one training tells another.
    What tells the mean over trainings can score more, about the square root of it.

    Raises:
        DataError: the shapes differ, or there are too few subsets.
    """
    import numpy as np

    if one.shape != other.shape:
        raise DataError(f"expected outputs of one shape, got {one.shape} and {other.shape}")
    subsets = len(one)
    if subsets < FEWEST:
        raise DataError(f"a rank correlation needs at least {FEWEST} subsets, got {subsets}")
    found = rank_correlations(one, other)
    if np.isnan(found).all():
        raise DataError("all subset models agree on every target: no rank correlation exists")
    generator = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        drawn = generator.integers(subsets, size=subsets)
        each = rank_correlations(one[drawn], other[drawn])
        if not np.isnan(each).all():
            means.append(float(np.nanmean(each)))
    low, high = np.percentile(means, (2.5, 97.5))
    constant = int(np.isnan(found).sum())
    return Lds(
        mean=float(np.nanmean(found)),
        low=float(low),
        high=float(high),
        subsets=subsets,
        targets=len(found) - constant,
        constant=constant,
    )


def rank_correlations(one: Floats, other: Floats) -> Floats:
    """Spearman's ρ of each column of `one` and `other`, `(K, T)` each; NaN where one is constant.

    Ties get their mean rank.
    """
    import numpy as np
    from scipy.stats import rankdata

    ranks = [rankdata(each, axis=0) for each in (one, other)]
    # Mean ranks are the same for every column, so the middle is exact.
    first, second = (each - (len(one) + 1) / 2 for each in ranks)
    size = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(size > 0, (first * second).sum(0) / size, math.nan)
    return found


def margins(logits: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """log(p / (1 − p)) of the labels' probabilities `(M,)` float64, from logits `(M, classes)`.

    It is computed from logits, because p rounds to 1.
    """
    import numpy as np
    from scipy.special import logsumexp

    values = np.asarray(logits, np.float64)
    rows = np.arange(len(labels))
    own = values[rows, labels].copy()
    values = values.copy()
    values[rows, labels] = -np.inf
    found: Floats = own - logsumexp(values, axis=1)
    return found
