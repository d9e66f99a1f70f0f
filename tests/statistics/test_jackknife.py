"""The jackknife, where what it gives is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expunge.errors import DataError
from expunge.statistics.intervals import paired_t
from expunge.statistics.jackknife import jackknife

VALUES = st.lists(st.integers(-100, 100).map(float), min_size=3, max_size=8)


@settings(deadline=None)
@given(VALUES)
def test_of_a_mean_it_is_students_interval(values):
    found, expected = jackknife(values, lambda x: float(np.mean(x))), paired_t(values)
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (expected.estimate, expected.low, expected.high), abs=1e-6
    )
    assert found.n == len(values)


def test_of_a_smooth_statistic_it_holds_the_truth_as_often_as_it_says():
    """The square of a mean; the delta method agrees."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(600):
        found = jackknife(rng.normal(3.0, 1.0, 20).tolist(), lambda x: float(np.mean(x)) ** 2)
        held += found.low <= 9.0 <= found.high
    assert 0.92 < held / 600 < 0.98


def test_bounds_are_as_far_from_the_statistic_as_those_of_the_pseudovalues():
    """Of the square of the mean of 1, 2 and 6, whose pseudovalues are -5, 2.5 and 22.5."""
    found = jackknife([1.0, 2.0, 6.0], lambda x: float(np.mean(x)) ** 2)
    reach = 4.302653 * np.std([-5.0, 2.5, 22.5], ddof=1) / np.sqrt(3)
    assert found.estimate == pytest.approx(9.0)
    assert (found.low, found.high) == pytest.approx((9.0 - reach, 9.0 + reach))


def test_one_value_has_no_interval():
    with pytest.raises(DataError, match="at least 2 values, got 1"):
        jackknife([1.0], lambda x: x[0])
