"""Everything that is measured on one model, from its stored predictions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from expunge.errors import DataError, ForgetError, some
from expunge.metrics.accuracy import accuracy, unlearning_accuracy
from expunge.metrics.arrays import FloatArray, LabelArray, LogitArray, check_predictions
from expunge.metrics.membership.attacks import DEFAULT_ATTACKS, Attack
from expunge.metrics.membership.audit import run_attacks
from expunge.metrics.membership.features import true_class_confidence
from expunge.metrics.membership.protocol import mia_efficacy, mia_privacy


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What one model says of every training and every test sample, without augmentation.

    Raises:
        DataError: logits and labels do not fit, or the two sets have other classes.
    """

    train_logits: LogitArray
    """`(N, classes)` float32, in the order of the training set."""
    train_labels: LabelArray
    """`(N,)` int64."""
    test_logits: LogitArray
    """`(M, classes)` float32."""
    test_labels: LabelArray
    """`(M,)` int64."""

    def __post_init__(self) -> None:
        check_predictions(self.train_logits, self.train_labels)
        check_predictions(self.test_logits, self.test_labels)
        train, test = self.train_logits.shape[1], self.test_logits.shape[1]
        if train != test:
            raise DataError(f"training logits have {train} classes, test logits {test}")


def evaluate(
    predictions: Predictions,
    forget_index: LabelArray,
    forgotten_classes: Collection[int],
    seed: int,
) -> dict[str, float | None]:
    """The metrics of one model, all in percent.

    `ua`: 100 − accuracy on the forget set. `ra`: accuracy on the retained samples. `ta`: accuracy
    on the test set; where whole classes are forgotten, on the remaining classes only, and the
    attack's non-members are the same test samples. `ta_forgotten`: accuracy on the test samples of
    the forgotten classes; None where there are none. `mia_efficacy`, `mia_privacy`: see
    `expunge.metrics.membership`.

    Args:
        predictions: of the model that is judged.
        forget_index: int64 indices of the forget set in the training set.
        forgotten_classes: the classes that are forgotten in full; empty in all other scenarios.
        seed: of the attack's draw of members.

    Raises:
        ForgetError: the forget set is empty, everything, or names a sample or class that is not
            there.
        DataError: no test sample is of a remaining class, or too few are left for the attack.
    """
    forget = _forget_flags(forget_index, len(predictions.train_labels))
    of_forgotten = _of_classes(predictions, forgotten_classes)
    train, labels = predictions.train_logits, predictions.train_labels
    test, test_labels = predictions.test_logits, predictions.test_labels
    if of_forgotten.all():
        raise DataError("every test sample is of a forgotten class: none is left to measure TA on")
    confidence = true_class_confidence(train, labels)
    unseen = true_class_confidence(test[~of_forgotten], test_labels[~of_forgotten])
    return {
        "ua": unlearning_accuracy(train[forget], labels[forget]),
        "ra": accuracy(train[~forget], labels[~forget]),
        "ta": accuracy(test[~of_forgotten], test_labels[~of_forgotten]),
        "ta_forgotten": (
            accuracy(test[of_forgotten], test_labels[of_forgotten]) if of_forgotten.any() else None
        ),
        "mia_efficacy": mia_efficacy(confidence[~forget], unseen, confidence[forget], seed),
        "mia_privacy": mia_privacy(confidence[~forget], unseen, seed),
    }


def attack_results(
    predictions: Predictions,
    forget_index: LabelArray,
    forgotten_classes: Collection[int],
    seed: int,
    attacks: Sequence[Attack] = DEFAULT_ATTACKS,
) -> dict[str, dict[str, float | None]]:
    """What each membership attack finds out about one model, by its name; see `run_attacks`.

    Members are the retained samples, non-members the test samples, and those of forgotten classes
    are what the forget set is told apart from.

    Args:
        predictions: of the model that is attacked.
        forget_index: int64 indices of the forget set in the training set.
        forgotten_classes: the classes that are forgotten in full; empty in all other scenarios.
        seed: of the draw of members and non-members.
        attacks: which to run.

    Raises:
        ForgetError: the forget set is empty, everything, or names a sample or class that is not
            there.
        DataError: too few samples are left for an attack.
    """
    forget = _forget_flags(forget_index, len(predictions.train_labels))
    _of_classes(predictions, forgotten_classes)
    untrained = np.zeros(len(predictions.test_labels), dtype=np.bool_)
    return run_attacks(
        np.concatenate((predictions.train_logits, predictions.test_logits)),
        np.concatenate((predictions.train_labels, predictions.test_labels)),
        member=np.concatenate((~forget, untrained)),
        forget=np.concatenate((forget, untrained)),
        seed=seed,
        forgotten_classes=forgotten_classes,
        attacks=attacks,
    )


def confidence_histograms(
    predictions: Predictions, forget_index: LabelArray, bins: int = 20
) -> dict[str, list[float]]:
    """How confident the model is in the true class of `forget`, `retain` and `test` samples.

    Each is a list of `bins` shares in percent, over equal intervals of 0-1 that contain their lower
    end; the last contains both.

    Raises:
        ForgetError: the forget set is empty, everything, or names a sample that is not there.
        DataError: `bins` is not positive.
    """
    if bins < 1:
        raise DataError(f"a histogram needs at least 1 bin, got {bins}")
    forget = _forget_flags(forget_index, len(predictions.train_labels))
    train = true_class_confidence(predictions.train_logits, predictions.train_labels)
    test = true_class_confidence(predictions.test_logits, predictions.test_labels)
    return {
        "forget": _shares(train[forget], bins),
        "retain": _shares(train[~forget], bins),
        "test": _shares(test, bins),
    }


def _shares(values: FloatArray, bins: int) -> list[float]:
    counts, _ = np.histogram(values, bins=bins, range=(0.0, 1.0))
    return [100.0 * count / len(values) for count in counts.tolist()]


def _forget_flags(forget_index: LabelArray, total: int) -> npt.NDArray[np.bool_]:
    if forget_index.ndim != 1 or not np.issubdtype(forget_index.dtype, np.integer):
        raise ForgetError(
            "the forget set must be a row of integer indices, "
            f"got {forget_index.dtype} {forget_index.shape}"
        )
    outside = forget_index[(forget_index < 0) | (forget_index >= total)].tolist()
    if outside:
        raise ForgetError(f"forget indices outside 0..{total - 1}: {some(outside)}")
    flags = np.zeros(total, dtype=np.bool_)
    flags[forget_index] = True
    if not flags.any() or flags.all():
        raise ForgetError(f"expected 1 to {total - 1} samples to forget, got {int(flags.sum())}")
    return flags


def _of_classes(predictions: Predictions, classes: Collection[int]) -> npt.NDArray[np.bool_]:
    """Flags of the test samples of `classes`."""
    known = predictions.test_logits.shape[1]
    outside = [each for each in classes if not 0 <= each < known]
    if outside:
        raise ForgetError(f"forgotten classes outside 0..{known - 1}: {some(outside)}")
    flags: npt.NDArray[np.bool_] = np.isin(predictions.test_labels, list(classes))
    return flags
