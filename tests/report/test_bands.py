"""Bands around means over seeds, against scipy."""

import numpy as np
import pytest
from scipy import stats

from expunge.report.bands import band


@pytest.mark.parametrize("n", [3, 4, 10])
def test_from_three_seeds_on_a_band_is_students_interval(n):
    values = np.random.default_rng(n).normal(50, 3, n)
    found = band(dict(enumerate(values.tolist())))
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.kind == "interval"


def test_of_two_seeds_it_is_one_deviation_to_each_side():
    found = band({0: 90.0, 7: 93.0})
    deviation = np.std([90.0, 93.0], ddof=1)
    assert (found.low, found.high) == pytest.approx((91.5 - deviation, 91.5 + deviation))
    assert found.kind == "deviation"


def test_one_seed_has_no_band():
    assert band({0: 1.0}) is None
    assert band({}) is None
