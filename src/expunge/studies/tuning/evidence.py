"""Evidence of forgetting without a retrained model and without test data.

A retrained model treats the forget set like unseen data of the same kind. Whether an unlearned
model does so, too, can be checked without the retrained one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import wasserstein_distance

from expunge.errors import DataError, some
from expunge.metrics.accuracy import accuracy
from expunge.metrics.arrays import FloatArray, LabelArray, LogitArray
from expunge.metrics.membership.features import true_class_confidence

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """One model's outputs on all training and validation samples, and what to forget."""

    train_logits: LogitArray
    """`(N, classes)` float32."""
    train_labels: LabelArray
    """`(N,)` int64."""
    validation_logits: LogitArray
    """`(M, classes)` float32."""
    validation_labels: LabelArray
    """`(M,)` int64."""
    forget: Flags
    """`(N,)`: which training samples to forget."""
    classes: Collection[int] = ()
    """The classes forgotten as a whole; empty in all other scenarios."""

    @property
    def of_forgotten(self) -> Flags:
        """Which validation samples are of a class forgotten as a whole."""
        flags: Flags = np.isin(self.validation_labels, list(self.classes))
        return flags


def remembered(evidence: Evidence) -> float:
    """How far the forget set is from looking unseen, 0-100: a distance of true-class confidences.

    Single samples: the Wasserstein-1 distance between the confidences on the forget set and on the
    validation samples, weighted so that every class has its share of the forget set. Lower accuracy
    on the forget set than on validation samples counts as much as higher.

    Whole classes: a model that has never seen a class gives it no probability. So this is the
    distance to zero: the mean confidence on the forget set, or on the validation samples of the
    same classes, whichever is larger.

    Raises:
        DataError: no validation sample has the class of a single sample to forget.
    """
    labels = evidence.train_labels[evidence.forget]
    seen = true_class_confidence(evidence.train_logits[evidence.forget], labels)
    unseen = true_class_confidence(evidence.validation_logits, evidence.validation_labels)
    if evidence.classes:
        groups = [seen, unseen[evidence.of_forgotten]]
        return 100.0 * max(float(group.mean()) for group in groups if len(group))
    return 100.0 * _distance(seen, unseen, _weights(labels, evidence.validation_labels))


def utility(evidence: Evidence) -> dict[str, float]:
    """Utility in percent: `ra`, accuracy on retained samples, and `va`, on validation samples.

    If whole classes are forgotten, `va` is over the other classes.
    """
    retained, kept = ~evidence.forget, ~evidence.of_forgotten
    return {
        "ra": accuracy(evidence.train_logits[retained], evidence.train_labels[retained]),
        "va": accuracy(evidence.validation_logits[kept], evidence.validation_labels[kept]),
    }


def overspent(after: Mapping[str, float], before: Mapping[str, float], budget: float) -> float:
    """Points of utility lost beyond `budget`, summed over `utility`'s numbers; gains don't count.

    >>> overspent({"ra": 96.0, "va": 91.0}, {"ra": 100.0, "va": 90.0}, budget=1.0)
    3.0
    """
    return sum(max(0.0, before[name] - after[name] - budget) for name in before)


def _weights(forgotten: LabelArray, validation: LabelArray) -> FloatArray:
    """A weight per validation sample: its class's share of the forget set, spread evenly."""
    classes = 1 + max(int(forgotten.max()), int(validation.max()))
    wanted = np.bincount(forgotten, minlength=classes)
    there = np.bincount(validation, minlength=classes)
    missing = np.flatnonzero((wanted > 0) & (there == 0)).tolist()
    if missing:
        raise DataError(
            f"no validation sample of class {some(missing)}, which the forget set has: "
            "hold out a larger part"
        )
    weights: FloatArray = (wanted / np.maximum(there, 1))[validation]
    return weights


def _distance(left: FloatArray, right: FloatArray, right_weights: FloatArray) -> float:
    return float(wasserstein_distance(left, right, None, right_weights))
