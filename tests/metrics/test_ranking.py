"""AUC and true-positive rates against scikit-learn's, ties and all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score, roc_curve

from expunge.metrics.membership.ranking import area_under_curve, true_positive_rate

SCORES = hnp.arrays(
    np.float64,
    st.integers(1, 40),
    elements=st.one_of(st.sampled_from([-1.0, 0.0, 0.5]), st.floats(-3, 3)),
)


def joined(members, others):
    return np.repeat([1, 0], [len(members), len(others)]), np.concatenate((members, others))


@given(SCORES, SCORES)
def test_area_is_scikit_learns(members, others):
    expected = 100 * roc_auc_score(*joined(members, others))
    assert area_under_curve(members, others) == pytest.approx(expected, abs=1e-9)


@given(SCORES, SCORES, st.sampled_from([0.1, 1.0, 5.0, 10.0, 33.0, 99.9]))
def test_true_positive_rate_is_the_best_on_scikit_learns_curve(members, others, percent):
    false_positive, true_positive, _ = roc_curve(*joined(members, others), drop_intermediate=False)
    expected = 100 * true_positive[false_positive <= percent / 100 + 1e-12].max()
    assert true_positive_rate(members, others, percent) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("percent", "count", "allowed"),
    [(1.0, 100, 1), (1.0, 2900, 29), (0.1, 10_000, 10), (0.7, 11_000, 77), (2.3, 3000, 69)],
)
def test_as_many_may_be_accused_as_the_percentage_says(percent, count, allowed):
    """77 of 11,000, though 0.7 % of them is a little less in floating point."""
    others = np.arange(count, dtype=np.float64)
    threshold = count - 1 - allowed
    members = np.array([threshold, threshold + 0.5])
    assert true_positive_rate(members, others, percent) == 50


def test_with_few_others_none_may_be_accused():
    found = true_positive_rate(np.array([0.5, 0.9, 2.0]), np.linspace(0, 1, 20), 0.1)
    assert found == pytest.approx(100 / 3)
