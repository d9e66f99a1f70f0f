import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from expunge.errors import DataError
from expunge.metrics.accuracy import accuracy, unlearning_accuracy
from expunge.metrics.membership.features import true_class_confidence

LOGITS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 12), st.integers(1, 5)),
    elements=st.sampled_from([-3.0, 0.0, 0.5, 0.5, 7.0]),
)


def accuracy_by_loop(logits, labels):
    """Sample by sample; of equal logits the first class counts."""
    correct = 0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        best = 0
        for k in range(1, len(row)):
            if row[k] > row[best]:
                best = k
        correct += best == label
    return 100 * correct / len(labels)


@given(st.data())
def test_accuracy_is_the_share_of_samples(data):
    logits = data.draw(LOGITS)
    n, classes = logits.shape
    labels = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    assert accuracy(logits, labels) == accuracy_by_loop(logits, labels)
    assert unlearning_accuracy(logits, labels) == 100 - accuracy_by_loop(logits, labels)


def test_numbers_are_plain():
    assert type(accuracy(np.float32([[1, 0]]), np.array([0]))) is float


@pytest.mark.parametrize("measure", [accuracy, unlearning_accuracy, true_class_confidence])
@pytest.mark.parametrize(
    ("logits", "labels", "match"),
    [
        (np.zeros((0, 3), np.float32), np.zeros(0, np.int64), "nothing to measure"),
        (np.zeros((2, 0), np.float32), np.zeros(2, np.int64), "nothing to measure"),
        (np.zeros((2, 3), np.float32), np.zeros(3, np.int64), r"got \(2, 3\) and \(3,\)"),
        (np.zeros((2, 3), np.float32), np.zeros((2, 1), np.int64), r"labels \(N,\)"),
        (np.zeros(3, np.float32), np.zeros(3, np.int64), r"\(N, classes\)"),
        (np.zeros((2, 3), np.float32), np.zeros(2), "must be integers, got float64"),
        (np.float32([[0, np.nan], [0, 1]]), np.array([0, 1]), "1 of 2 samples are not finite"),
        (np.float32([[0, np.inf], [-np.inf, 1]]), np.array([0, 1]), "2 of 2 samples"),
        (np.zeros((2, 3), np.float32), np.array([0, 3]), r"0\.\.2 .* got 0\.\.3"),
        (np.zeros((2, 3), np.float32), np.array([-1, 2]), r"got -1\.\.2"),
    ],
)
def test_what_cannot_be_scored_is_refused(measure, logits, labels, match):
    with pytest.raises(DataError, match=match):
        measure(logits, labels)
