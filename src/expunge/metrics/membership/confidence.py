"""The feature of the confidence attack: the probability given to the true class."""

import numpy as np

from expunge.metrics.arrays import FloatArray, LabelArray, LogitArray, check_predictions


def true_class_confidence(logits: LogitArray, labels: LabelArray) -> FloatArray:
    """Softmax probability of each sample's label, float64 `(N,)`.

    Args:
        logits: `(N, classes)` float32.
        labels: `(N,)` int64.

    Raises:
        DataError: the arrays are empty or do not fit.

    >>> import numpy as np
    >>> true_class_confidence(np.float32([[0, 0], [1000, 0]]), np.array([1, 0])).tolist()
    [0.5, 1.0]
    """
    check_predictions(logits, labels)
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    confidence: FloatArray = exponentials[np.arange(len(labels)), labels] / exponentials.sum(axis=1)
    return confidence
