"""What attackers learn, against brute force and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from expunge.metrics.membership.classifiers import (
    Seen,
    best_threshold,
    class_threshold,
    logistic,
    svc,
)

VALUES = hnp.arrays(
    np.float64,
    st.integers(1, 12),
    elements=st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e300, 1e300)),
)


def accuracy(threshold, members, others):
    return ((members >= threshold).mean() + (others < threshold).mean()) / 2


@given(VALUES, VALUES)
def test_no_threshold_is_more_accurate(members, others):
    """Song and Mittal try every known value as threshold."""
    found = accuracy(best_threshold(members, others), members, others)
    tried = [accuracy(v, members, others) for v in (*members, *others)]
    assert found == pytest.approx(max(tried), abs=1e-12)


def test_it_lies_midway_and_between_neighbouring_floats_above():
    assert best_threshold(np.array([3.0, 4.0]), np.array([1.0, 0.0])) == 2
    near = np.nextafter(1.0, 2.0)
    assert best_threshold(np.array([near]), np.array([1.0])) == near
    assert best_threshold(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 1


def evidence(rng, shape, shift=0.0):
    return Seen(rng.normal(shift, 1, shape), rng.integers(0, 3, shape[0]))


def test_every_class_has_its_own_threshold():
    members = Seen(np.array([0.9, 0.8, 0.3, 0.2]), np.array([0, 0, 1, 1]))
    others = Seen(np.array([0.7, 0.6, 0.1, 0.0]), np.array([0, 0, 1, 1]))
    score = class_threshold(members, others)
    assert (score(members) >= 0).all()
    assert (score(others) < 0).all()
    np.testing.assert_allclose(score(members), [0.15, 0.05, 0.15, 0.05])


def test_a_class_of_which_too_little_is_known_has_the_threshold_of_all():
    members = Seen(np.array([0.9, 0.8, 0.2]), np.array([0, 0, 2]))
    others = Seen(np.array([0.1, 0.0]), np.array([0, 0]))
    score = class_threshold(members, others)
    unknown = Seen(np.array([0.16, 0.14]), np.array([1, 2]))
    assert (score(unknown) >= 0).tolist() == [True, False]


@pytest.mark.parametrize("numbers", [1, 4])
@pytest.mark.parametrize(("classifier", "tolerance"), [(svc, 2e-3), (logistic, 1e-3)])
def test_scikit_learn_scores_the_same(classifier, tolerance, numbers):
    rng = np.random.default_rng(0)
    shape = (80,) if numbers == 1 else (80, numbers)
    members, others, probe = (evidence(rng, shape, shift) for shift in (1.0, 0.0, 0.5))
    table = np.concatenate((members.values, others.values)).reshape(160, -1)
    x, labels = probe.values.reshape(80, -1), [1] * 80 + [0] * 80
    if classifier is svc:
        machine = SVC(C=3, kernel="rbf", gamma="auto").fit(table, labels)
    else:
        mean, spread = table.mean(axis=0), table.std(axis=0)
        table, x = (table - mean) / spread, (x - mean) / spread
        machine = LogisticRegression(C=1).fit(table, labels)
    found = classifier(members, others)(probe)
    np.testing.assert_allclose(found, machine.decision_function(x), atol=tolerance)
