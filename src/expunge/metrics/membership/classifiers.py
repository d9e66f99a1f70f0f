"""Classifiers that an attacker trains on known members and non-members."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from expunge.metrics.arrays import FloatArray, LabelArray
from expunge.metrics.membership.svc import fit_svc


class Seen(NamedTuple):
    """What the attack sees of some samples."""

    values: FloatArray
    """The attacked feature: `(N,)`, larger for likelier members, or `(N, numbers)`."""
    labels: LabelArray
    """`(N,)` int64."""


Score: TypeAlias = Callable[[Seen], FloatArray]
"""From what is seen to scores `(N,)`: a sample is judged a member from 0 on."""

Classifier: TypeAlias = Callable[[Seen, Seen], Score]
"""Fitted to known members and to known non-members."""


def svc(members: Seen, others: Seen) -> Score:
    """A support vector machine, C = 3, RBF kernel, gamma one over the numbers in the feature.

    The published attack of "Model Sparsity Can Simplify Machine Unlearning" (Jia et al., NeurIPS
    2023). Of one number it takes any amount; of several, time quadratic in the samples.
    """
    if members.values.ndim == 1:
        decide = fit_svc(members.values, others.values)
        return lambda seen: decide(seen.values)
    from sklearn.svm import SVC

    machine = SVC(C=3, kernel="rbf", gamma="auto", random_state=0)
    machine.fit(*_table(members, others))
    return lambda seen: _decided(machine, seen)


def logistic(members: Seen, others: Seen) -> Score:
    """Logistic regression on the standardised feature, ℓ2-regularised, C = 1."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    machine = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    machine.fit(*_table(members, others))
    return lambda seen: _decided(machine, seen)


def class_threshold(members: Seen, others: Seen) -> Score:
    """One threshold for every class, the most accurate on the known samples of that class.

    A class of which members or non-members are not known gets the most accurate threshold over all
    classes. The score is what the feature, one number, exceeds the threshold by.

    Source: Song & Mittal, USENIX Security 2021, section 3.2.
    """
    overall = best_threshold(members.values, others.values)
    known = np.intersect1d(members.labels, others.labels)
    thresholds = [
        best_threshold(
            members.values[members.labels == label], others.values[others.labels == label]
        )
        for label in known
    ]

    def score(seen: Seen) -> FloatArray:
        threshold = np.full(seen.values.shape, overall)
        for label, of_class in zip(known, thresholds, strict=True):
            threshold[seen.labels == label] = of_class
        margin: FloatArray = seen.values - threshold
        return margin

    return score


def best_threshold(members: FloatArray, others: FloatArray) -> float:
    """The threshold with the highest balanced accuracy, members being from it on.

    It lies midway between two values. Of equally accurate ones it is the lowest; where none is
    better than to call all members, it is the lowest value.

    >>> import numpy as np
    >>> best_threshold(np.array([0.5, 0.75, 0.75]), np.array([0.125, 0.25, 0.75]))
    0.375
    """
    values = np.unique(np.concatenate((members, others)))
    missed = np.searchsorted(np.sort(members), values)
    rejected = np.searchsorted(np.sort(others), values)
    # In whole numbers, so that equally accurate thresholds are equal.
    best = int(np.argmax(rejected * len(members) - missed * len(others)))
    if best == 0:
        return float(values[0])
    below, above = float(values[best - 1]), float(values[best])
    midway = below + (above - below) / 2
    # Between neighbouring floats there is nothing.
    return midway if midway > below else above


def _table(members: Seen, others: Seen) -> tuple[FloatArray, LabelArray]:
    """Values `(N, numbers)`, and 1 for members, 0 for the others."""
    values = np.concatenate((members.values, others.values))
    flags = np.repeat([1, 0], [len(members.values), len(others.values)])
    return values.reshape(len(values), -1), flags


def _decided(machine: object, seen: Seen) -> FloatArray:
    values = seen.values.reshape(len(seen.values), -1)
    scores: FloatArray = machine.decision_function(values)  # type: ignore[attr-defined]
    return scores
