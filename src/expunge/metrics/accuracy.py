"""Accuracy and unlearning accuracy."""

from expunge.metrics.arrays import LabelArray, LogitArray, check_predictions


def accuracy(logits: LogitArray, labels: LabelArray) -> float:
    """Percentage of samples whose largest logit is their label's; ties go to the first class.

    Args:
        logits: `(N, classes)` float32.
        labels: `(N,)` int64.

    Raises:
        DataError: the arrays are empty or do not fit.

    >>> import numpy as np
    >>> accuracy(np.float32([[2, 1], [0, 3], [1, 0], [5, 5]]), np.array([0, 1, 1, 0]))
    75.0
    """
    check_predictions(logits, labels)
    correct = int((logits.argmax(axis=1) == labels).sum())
    return 100.0 * correct / len(labels)


def unlearning_accuracy(logits: LogitArray, labels: LabelArray) -> float:
    """UA: 100 minus the accuracy on the forget set, in percent.

    Raises:
        DataError: the arrays are empty or do not fit.
    """
    return 100.0 - accuracy(logits, labels)
