"""Intervals against scipy's tests, and how often they raise a false alarm."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from expunge.errors import DataError
from expunge.statistics.intervals import (
    difference,
    half_width,
    over_seeds,
    paired_t,
    smallest_rank_p,
    welch,
    welch_p,
    wilson,
)

VALUES = st.lists(st.integers(-100, 100).map(float), min_size=2, max_size=8)


@given(VALUES)
def test_the_paired_interval_is_scipys(values):
    found = paired_t(values)
    assert found.estimate == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.n == len(values)
    if len(set(values)) > 1:
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-7)
    elif len(values) > 2:
        assert found.low == found.high == found.estimate
        assert found.flat
    else:
        assert not found.bounded


@given(VALUES, VALUES)
def test_welchs_interval_is_scipys(one, other):
    found = welch(one, other)
    if min(len(set(one)), len(set(other))) > 1:
        test = stats.ttest_ind(one, other, equal_var=False)
        assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval()), abs=1e-7)
        assert welch_p(one, other) == pytest.approx(test.pvalue, abs=1e-9)
    elif len(set(one)) == len(set(other)) == 1:
        assert found.estimate == one[0] - other[0]
        assert (found.flat, found.bounded) == ((min(len(one), len(other)) > 2,) * 2)
        assert welch_p(one, other) == (1 if found.holds_zero else 0)
    else:
        # All freedom is that of the side that varies.
        values = other if len(set(one)) == 1 else one
        assert (found.high - found.low) / 2 == pytest.approx(
            half_width(len(values)) * statistics.stdev(values)
        )


@given(st.integers(1, 400), st.data())
def test_wilsons_interval_is_the_formula(total, data):
    k = data.draw(st.integers(0, total))
    z, p = stats.norm.ppf(0.975), k / total
    centre = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    reach = z / (1 + z**2 / total) * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    found = wilson(k, total)
    assert found.estimate == pytest.approx(100 * p)
    assert (found.low, found.high) == pytest.approx(
        (100 * max(0, centre - reach), 100 * min(1, centre + reach)), abs=1e-9
    )


def test_what_three_seeds_can_say():
    assert half_width(3) == pytest.approx(4.302653 / 3**0.5, abs=1e-6)
    for n in (2, 3, 5):
        p = stats.wilcoxon(np.arange(1, n + 1), method="exact").pvalue
        assert smallest_rank_p(n) == pytest.approx(p)


def test_seeds_are_paired_where_they_pair():
    one, other = {0: 1.0, 1: 5.0, 2: 9.0}, {2: 8.5, 0: 0.25, 1: 4.75}
    assert difference(one, other) == paired_t([0.75, 0.25, 0.5])
    assert difference(one, {1: 4.75, 2: 8.5, 7: 0.0}) == paired_t([0.25, 0.5])
    assert difference(one, {7: 1.0, 8: 2.0}) == welch([1.0, 5.0, 9.0], [1.0, 2.0])
    assert difference(one, {0: 1.0}) is None
    assert difference({0: 1.0}, {0: 2.0}) is None


def test_equal_values_added_in_other_orders_do_not_differ():
    assert paired_t([0.1 + 0.2 - 0.3] * 3).holds_zero
    assert not paired_t([0.1, 0.1, 0.1]).holds_zero


@pytest.mark.parametrize("size", [0.0, 2.5, 100.0])
def test_two_equal_differences_tell_nothing(size):
    """Of counts of few samples they are common: here in over a third of pairs without a cause."""
    found = paired_t([size, size])
    assert found.holds_zero
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert welch([size] * 2, [0.0] * 3).holds_zero
    # As differences are computed: 0.3 and 0.3 up to rounding.
    assert not paired_t([0.1 + 0.2, 0.3]).bounded
    rng = np.random.default_rng(0)
    one, other = rng.binomial(40, 0.99, size=(2, 4000, 2))
    alarms = [not paired_t(each).holds_zero for each in (one - other).tolist()]
    assert np.mean(alarms) < 0.05


def test_welchs_interval_of_tiny_values_does_not_vanish_in_its_squares():
    one, other = [1e-6, 3e-6, 2e-6], [4e-6, 4.5e-6, 6e-6]
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    found = welch(one, other)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-6)
    assert welch([1e-90, 2e-90], [3e-90, 5e-90]).holds_zero


FORMER = {2: 0.33, 3: 0.21}
"""How often a difference above the larger deviation calls equal means different."""


@pytest.mark.parametrize("n", [2, 3, 5])
def test_equal_means_are_told_apart_in_one_case_of_twenty(n):
    rng = np.random.default_rng(n)
    one, other = rng.normal(size=(2, 4000, n))
    alarms = [not paired_t(each).holds_zero for each in (one - other).tolist()]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.011)
    if n in FORMER:
        apart = np.abs(one.mean(1) - other.mean(1))
        larger = np.maximum(one.std(1, ddof=1), other.std(1, ddof=1))
        assert np.mean(apart > larger) == pytest.approx(FORMER[n], abs=0.02)


def test_too_little_is_refused():
    with pytest.raises(DataError, match="at least 2 pairs, got 1"):
        paired_t([1.0])
    with pytest.raises(DataError, match=r"at least 2 values on each side, got \(1, 2\)"):
        welch([1.0], [1.0, 2.0])
    for test in (welch, welch_p):
        with pytest.raises(DataError, match=r"at least 2 values on each side, got \(0, 2\)"):
            test([], [1.0, 2.0])
    for successes, total in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(DataError, match="successes"):
            wilson(successes, total)


@pytest.mark.parametrize(("methods", "alarms"), [(2, 0.05), (5, 0.25)])
def test_how_often_equal_methods_are_told_from_the_lowest(methods, alarms):
    """The lowest is chosen by the same values, so that this is no test at 5 %."""
    values = np.random.default_rng(methods).normal(size=(3000, methods, 3))
    told = 0
    for grid in values:
        least = grid[grid.mean(1).argmin()]
        differences = [(each - least).tolist() for each in grid if each is not least]
        told += any(not paired_t(each).holds_zero for each in differences if any(each))
    assert told / len(values) == pytest.approx(alarms, abs=0.03)


def test_the_mean_over_seeds_has_the_interval_of_student():
    found = over_seeds({0: 50.0, 1: 52.0, 4: 51.0})
    # The t-quantile of two degrees of freedom, and the standard error of a deviation of 1.
    reach = 4.302652729911275 / 3**0.5
    assert (found.estimate, found.n) == (51.0, 3)
    assert (found.low, found.high) == pytest.approx((51 - reach, 51 + reach))
    assert over_seeds({0: 50.0}) is None
