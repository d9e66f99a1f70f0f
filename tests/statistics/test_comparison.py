"""Measured beside published: against scipy's test from summaries, and against raw values."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from expunge.errors import DataError
from expunge.statistics.comparison import (
    MARGIN,
    SEEDS,
    Compared,
    Stated,
    compare,
    direction,
    stated_difference,
)
from expunge.statistics.intervals import (
    Interval,
    Moments,
    moments,
    welch,
    welch_of,
    welch_p,
    welch_p_of,
)

NUMBERS = st.integers(-10_000, 10_000).map(lambda value: value / 100)
SIDES = st.tuples(NUMBERS, st.integers(1, 2000).map(lambda value: value / 100), st.integers(2, 12))
VALUES = st.lists(st.integers(-100, 100).map(float), min_size=2, max_size=8)


@given(SIDES, SIDES)
def test_from_summaries_it_is_scipys_test(one, other):
    expected = stats.ttest_ind_from_stats(*one, *other, equal_var=False)
    found = welch_of(Moments(*one), Moments(*other))
    assert welch_p_of(Moments(*one), Moments(*other)) == pytest.approx(expected.pvalue, abs=1e-12)
    assert found.estimate == pytest.approx(one[0] - other[0])
    # The interval ends where the test of a shifted mean just fails to reject.
    shifted = (one[0] - found.low, *one[1:])
    at_the_bound = stats.ttest_ind_from_stats(*shifted, *other, equal_var=False)
    assert at_the_bound.pvalue == pytest.approx(0.05, abs=1e-6)


@given(VALUES, VALUES)
def test_from_summaries_it_is_the_test_of_the_values_themselves(one, other):
    summaries = [Moments(statistics.fmean(x), statistics.stdev(x), len(x)) for x in (one, other)]
    raw, found = welch(one, other), welch_of(*summaries)
    assert (found.low, found.high) == pytest.approx((raw.low, raw.high), abs=1e-7)
    assert welch_p_of(*summaries) == pytest.approx(welch_p(one, other), abs=1e-9)
    assert moments(one) == pytest.approx(summaries[0])


def test_one_value_has_no_test():
    assert math.isnan(moments([3.0]).deviation)
    with pytest.raises(DataError, match=r"at least 2 values on each side, got \(1, 10\)"):
        compare([(Moments(1.0, 1.0, 10), [3.0])])


def test_a_family_is_corrected_as_a_whole():
    """Three cells by hand: each p times how many are left, and never falling."""
    cells = [(Moments(mean, 1.0, 10), [0.0, 1.0, 2.0, 1.0]) for mean in (1.1, 3.0, 9.0)]
    found = compare(cells)
    p = [
        stats.ttest_ind_from_stats(*moments(ours), *theirs, equal_var=False).pvalue
        for theirs, ours in cells
    ]
    assert [each.p for each in found] == pytest.approx(p)
    largest, middle, smallest = p
    assert [each.corrected for each in found] == pytest.approx([largest, 2 * middle, 3 * smallest])
    assert [each.interval.estimate for each in found] == pytest.approx([-0.1, -2.0, -8.0])


@pytest.mark.parametrize(
    ("estimate", "reach", "p", "verdict"),
    [
        (0.2, 0.5, 0.4, "agrees"),
        # It contains the published value, and much else.
        (0.2, 30.0, 0.98, "not settled"),
        (0.8, 0.5, 0.06, "not settled"),
        (5.0, 1.0, 0.001, "differs"),
        (0.5, 0.3, 0.001, "differs within the margin"),
        (0.0, math.inf, 1.0, "not settled"),
    ],
)
def test_agreement_is_of_the_whole_interval(estimate, reach, p, verdict):
    interval = Interval(estimate, estimate - reach, estimate + reach, 3)
    assert Compared(interval, p, p).verdict == verdict


def simulated(seeds, families=400):
    """Shares of families of four with a false alarm, and of far means that are said to agree."""
    rng = np.random.default_rng(0)
    alarms = agreed = 0
    for _ in range(families):
        theirs = [moments(rng.normal(50, 3, 10).tolist()) for _ in range(4)]
        alike = compare([(each, rng.normal(50, 3, seeds).tolist()) for each in theirs])
        off = 50 + MARGIN + 0.5
        far = compare([(each, rng.normal(off, 0.3, seeds).tolist()) for each in theirs])
        alarms += any(each.verdict.startswith("differs") for each in alike)
        agreed += sum(each.verdict == "agrees" for each in far)
    return alarms / families, agreed / (4 * families)


def test_means_of_one_population_are_seldom_said_to_differ_and_far_ones_never_agree():
    alarms, agreed = simulated(SEEDS)
    assert alarms < 0.075
    assert agreed < 0.025


def test_with_fewer_seeds_there_would_be_too_many_false_alarms():
    """Why they are not tested."""
    assert simulated(2)[0] > 0.12


def test_a_published_difference_is_as_certain_as_what_is_published():
    one, other = Stated(93.08, 2.29, 10), Stated(22.53, 8.16, 10)
    assert stated_difference(one, other) == welch_of(Moments(*one[:3]), Moments(*other[:3]))
    read = stated_difference(Stated(46.9, error=0.3), Stated(14.6, error=0.3))
    assert (read.estimate, read.low, read.high) == pytest.approx((32.3, 31.7, 32.9))
    assert read.n == 0
    assert stated_difference(Stated(14.6, error=0.3), Stated(14.1, error=0.3)).holds_zero
    assert stated_difference(Stated(1.0, 2.0), Stated(0.0, 2.0)).bounds == (1.0, 1.0)


@pytest.mark.parametrize("theirs", [-4.0, 4.0])
def test_a_direction_is_settled_by_an_interval_away_from_zero(theirs):
    published = Interval(theirs, theirs - 1, theirs + 1, 10)
    for low in range(-3, 4):
        for high in range(low, 4):
            found = direction(published, Interval((low + high) / 2, low, high, 3))
            if low <= 0 <= high:
                assert found == "not settled"
            else:
                assert found == ("same" if (low > 0) == (theirs > 0) else "opposite")
    assert direction(published, None) == "not settled"
    assert direction(published, Interval(9.0, -math.inf, math.inf, 2)) == "not settled"
