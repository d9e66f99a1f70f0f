"""What the attacker sees, against scalar transcriptions of the equations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from expunge.errors import DataError
from expunge.metrics.membership import features
from expunge.metrics.membership.features import (
    correctness,
    entropy,
    modified_entropy,
    probabilities,
)

SMALL = st.floats(-8, 8, width=32)
LARGE = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 30.0]), st.floats(-(2.0**100), 2.0**100, width=32)
)
ALL = [correctness, features.true_class_confidence, probabilities, entropy, modified_entropy]


def outputs(elements):
    def of(shape):
        logits = hnp.arrays(np.float32, shape, elements=elements)
        labels = hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1))
        return st.tuples(logits, labels)

    return st.tuples(st.integers(1, 8), st.integers(1, 5)).flatmap(of)


def softmax(row):
    top = max(row)
    parts = [math.exp(z - top) for z in row]
    return [part / math.fsum(parts) for part in parts]


def entropy_of_one(row):
    return -math.fsum(p * math.log(p) for p in softmax(row))


def modified_entropy_of_one(row, label):
    """The equation, word for word."""
    p = softmax(row)
    first = (1 - p[label]) * math.log(p[label])
    others = [p[i] * math.log(1 - p[i]) for i in range(len(p)) if i != label]
    return -first - math.fsum(others)


@given(outputs(SMALL))
def test_each_is_its_equation(drawn):
    logits, labels = drawn
    rows = list(zip(logits.tolist(), labels.tolist(), strict=True))
    for feature, one, places in (
        (probabilities, lambda row, label: softmax(row), 1e-15),
        (entropy, lambda row, label: entropy_of_one(row), 1e-13),
        (modified_entropy, modified_entropy_of_one, 1e-11),
    ):
        found = feature(logits, labels)
        assert found.dtype == np.float64
        expected = [one(row, label) for row, label in rows]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=places)


@given(outputs(LARGE))
def test_certainty_is_no_obstacle(drawn):
    """Probabilities that round to 0 and to 1 give finite, meaningful numbers without a warning."""
    logits, labels = drawn
    for feature in ALL:
        found = feature(logits, labels)
        assert np.isfinite(found).all()
        assert (found >= 0).all()
    np.testing.assert_allclose(probabilities(logits, labels).sum(axis=1), 1)
    assert (entropy(logits, labels) <= math.log(logits.shape[1]) + 1e-12).all()


@pytest.mark.parametrize("gap", [1.0, 30.0, 100.0, 1000.0, 1e30])
def test_two_classes_have_a_closed_form(gap):
    """With p and 1 − p: −2 (1 − p) log p for a right answer, −2 p log(1 − p) for a wrong one."""
    logits = np.float32([[gap, 0], [gap, 0]])
    rest = math.exp(-gap) / (1 + math.exp(-gap))
    log_p, log_rest = -math.log1p(math.exp(-gap)), -gap - math.log1p(math.exp(-gap))
    found = modified_entropy(logits, np.array([0, 1]))
    np.testing.assert_allclose(found, [-2 * rest * log_p, -2 * (1 - rest) * log_rest], rtol=1e-6)
    mixed = -(1 - rest) * log_p - rest * log_rest
    np.testing.assert_allclose(entropy(logits, np.array([0, 1])), mixed, rtol=1e-6)


@given(outputs(SMALL))
def test_only_the_modified_entropy_sees_the_label(drawn):
    logits, labels = drawn
    other = (labels + 1) % logits.shape[1]
    assert (entropy(logits, labels) == entropy(logits, other)).all()
    assert (probabilities(logits, labels) == probabilities(logits, other)).all()


def test_the_label_decides_between_a_right_and_a_wrong_certainty():
    """Labels differ within a batch: each sample is read by its own."""
    logits = np.float32([[9, 0, 0], [9, 0, 0], [0, 0, 9]])
    right, wrong, also_right = modified_entropy(logits, np.array([0, 1, 2]))
    assert right == also_right < 0.01
    assert wrong > 9


def test_modified_entropy_falls_as_the_true_class_gains():
    logits = np.zeros((200, 4), np.float32)
    logits[:, 2] = np.linspace(-20, 20, 200)
    assert (np.diff(modified_entropy(logits, np.full(200, 2))) < 0).all()


def test_correctness_is_the_argmax():
    logits = np.float32([[2, 1], [0, 3], [5, 5], [5, 5]])
    assert correctness(logits, np.array([0, 0, 0, 1])).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("feature", ALL)
def test_inputs_are_left_alone_and_bad_ones_refused(feature):
    logits, labels = np.float32([[1, 2], [3, 4]]), np.array([0, 1])
    feature(logits, labels)
    assert (logits.tolist(), labels.tolist()) == ([[1, 2], [3, 4]], [0, 1])
    with pytest.raises(DataError, match="2 of 2 samples are not finite"):
        feature(logits * np.inf, labels)
    with pytest.raises(DataError, match="nothing to measure"):
        feature(logits[:0], labels[:0])
