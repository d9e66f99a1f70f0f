"""Features that an attacker computes from a model's output for one sample.

All are computed from log-probabilities in float64, so that they stay finite and exact where a
probability rounds to 0 or 1.
"""

import numpy as np

from expunge.metrics.arrays import FloatArray, LabelArray, LogitArray, check_predictions


def correctness(logits: LogitArray, labels: LabelArray) -> FloatArray:
    """1 where the largest logit is the label's, else 0; of equal logits the first counts.

    Args:
        logits: `(N, classes)` float32.
        labels: `(N,)` int64.

    Raises:
        DataError: the arrays are empty or do not fit.

    Source: the gap attack of Yeom et al., CSF 2018.

    >>> import numpy as np
    >>> correctness(np.float32([[2, 1], [0, 3]]), np.array([0, 0])).tolist()
    [1.0, 0.0]
    """
    check_predictions(logits, labels)
    correct: FloatArray = (logits.argmax(axis=1) == labels).astype(np.float64)
    return correct


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


def probabilities(logits: LogitArray, labels: LabelArray) -> FloatArray:
    """The whole softmax, float64 `(N, classes)`; the labels do not matter.

    Raises:
        DataError: the arrays are empty or do not fit.
    """
    check_predictions(logits, labels)
    return np.exp(_log_softmax(logits))


def entropy(logits: LogitArray, labels: LabelArray) -> FloatArray:
    """−Σ p log p of the softmax, in nats, float64 `(N,)`; the labels do not matter.

    Raises:
        DataError: the arrays are empty or do not fit.

    Source: Song & Mittal, USENIX Security 2021, section 3.2.

    >>> import numpy as np
    >>> entropy(np.float32([[0, 0], [1000, 0]]), np.array([1, 0])).round(6).tolist()
    [0.693147, 0.0]
    """
    check_predictions(logits, labels)
    log_p = _log_softmax(logits)
    # From zero, so that a certain answer has 0.0, not -0.0.
    summed: FloatArray = 0.0 - (np.exp(log_p) * log_p).sum(axis=1)
    return summed


def modified_entropy(logits: LogitArray, labels: LabelArray) -> FloatArray:
    """−(1 − p_y) log p_y − Σ_{i≠y} p_i log(1 − p_i), in nats, float64 `(N,)`; y is the label.

    Unlike the entropy it is low only for answers that are certain and right. It has no upper bound.

    Args:
        logits: `(N, classes)` float32.
        labels: `(N,)` int64.

    Raises:
        DataError: the arrays are empty or do not fit.

    Source: Song & Mittal, USENIX Security 2021, equation 9.

    >>> import numpy as np
    >>> certain = np.float32([[1000, 0], [1000, 0]])
    >>> modified_entropy(certain, np.array([0, 1])).tolist()
    [0.0, 2000.0]
    """
    check_predictions(logits, labels)
    log_p = _log_softmax(logits)
    log_rest = _log_complement(log_p)
    of_label = np.arange(len(labels)), labels
    wrong = np.exp(log_p) * log_rest
    wrong[of_label] = 0
    summed: FloatArray = 0.0 - np.exp(log_rest[of_label]) * log_p[of_label] - wrong.sum(axis=1)
    return summed


def _log_softmax(logits: LogitArray) -> FloatArray:
    """The logarithm of the softmax, `(N, classes)`."""
    top = np.arange(len(logits)), logits.argmax(axis=1)
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    others = np.exp(shifted)
    others[top] = 0
    log_p: FloatArray = shifted - np.log1p(others.sum(axis=1, keepdims=True))
    return log_p


def _log_complement(log_p: FloatArray) -> FloatArray:
    """The logarithm of 1 − p, `(N, classes)`.

    Only the largest probability can be near 1, where 1 − p would lose every digit: there it is the
    sum over the other classes.
    """
    top = np.arange(len(log_p)), log_p.argmax(axis=1)
    others = log_p.copy()
    others[top] = -np.inf
    log_rest: FloatArray = np.log1p(-np.exp(others))
    log_rest[top] = np.logaddexp.reduce(others, axis=1)
    return log_rest
