"""Influence of source classes on a target task, from models of many halves of the classes.

Source: Jain, Salman, Khaddaj, Wong, Park and Madry, A Data-Based Perspective on Transfer Learning,
CVPR 2023, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from expunge.errors import DataError
from expunge.statistics.holm import holm
from expunge.statistics.intervals import welch, welch_p

Flags: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]

SIGNIFICANCE = 0.05
"""Chance of calling any class harmful or helpful if none is."""
SPLITS = 100
"""Random halvings of the models that stability is the mean over."""


@dataclass(frozen=True, kw_only=True)
class ClassInfluence:
    """What one source class does to the target accuracy."""

    index: int
    """Its index among the source classes."""
    influence: float
    """Mean target accuracy of the models with it, minus that of the models without it, in
    percentage points."""
    low: float | None
    """Lower bound of the 95 % interval of this class alone (Welch); None if there is none."""
    high: float | None
    """Upper bound of the same."""
    p: float
    """Two-sided p-value of no influence, by Holm's correction over all classes."""
    models_with: int
    models_without: int

    @property
    def verdict(self) -> str:
        """`harmful`, `helpful`, or `not settled` where it may have no influence."""
        if self.p >= SIGNIFICANCE:
            return "not settled"
        return "harmful" if self.influence < 0 else "helpful"


def class_influences(trained_on: Flags, accuracy: Floats) -> list[ClassInfluence]:
    """The influence of every class, in the order of the classes.

    Args:
        trained_on: bool `(models, classes)`: whether a model was trained on a class.
        accuracy: `(models,)`: the target accuracy of every model, in percent.

    Raises:
        DataError: shapes do not fit, or fewer than two models have a class or lack it.
    """
    _check(trained_on, accuracy)
    sides = [(accuracy[there].tolist(), accuracy[~there].tolist()) for there in trained_on.T]
    corrected = holm([welch_p(*each) for each in sides])
    found = []
    for index, (one, other) in enumerate(sides):
        interval = welch(one, other)
        low, high = interval.bounds
        found.append(
            ClassInfluence(
                index=index,
                influence=interval.estimate,
                low=low,
                high=high,
                p=corrected[index],
                models_with=len(one),
                models_without=len(other),
            )
        )
    return found


def split_half(trained_on: Flags, accuracy: Floats, seed: int) -> list[float]:
    """How alike two halves of the models rank the classes: Spearman's correlation for each halving.

    A halving that leaves a class without two models on both sides is left out; with too few models
    the list is empty.
    """
    from scipy.stats import spearmanr

    _check(trained_on, accuracy)
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(SPLITS):
        order = generator.permutation(len(accuracy))
        halves = order[: len(order) // 2], order[len(order) // 2 :]
        if any(_lacking(trained_on[half]) for half in halves):
            continue
        one, other = (_differences(trained_on[half], accuracy[half]) for half in halves)
        if np.ptp(one) and np.ptp(other):
            found.append(float(spearmanr(one, other).statistic))
    return found


def _differences(trained_on: Flags, accuracy: Floats) -> Floats:
    """Mean accuracy with each class minus that without it, `(classes,)`."""
    weights = trained_on.astype(np.float64)
    with_it = accuracy @ weights / weights.sum(0)
    without: Floats = accuracy @ (1 - weights) / (1 - weights).sum(0)
    found: Floats = with_it - without
    return found


def _lacking(trained_on: Flags) -> list[int]:
    """The classes that fewer than two models have, or that fewer than two lack."""
    counts = trained_on.sum(0)
    return np.flatnonzero((counts < 2) | (len(trained_on) - counts < 2)).tolist()


def _check(trained_on: Flags, accuracy: Floats) -> None:
    if trained_on.ndim != 2 or accuracy.shape != trained_on.shape[:1]:
        raise DataError(
            f"expected flags (models, classes) and an accuracy for each model, got "
            f"{trained_on.shape} and {accuracy.shape}"
        )
    lacking = _lacking(trained_on)
    if lacking:
        raise DataError(
            f"every class must be in 2 or more models and out of 2 or more: with {len(accuracy)} "
            f"models that is not so for {len(lacking)} of {trained_on.shape[1]} classes; use more"
        )
