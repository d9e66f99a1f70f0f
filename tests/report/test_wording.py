import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.report.wording import (
    level_label,
    listed,
    method_label,
    points,
    printable,
    scenario_label,
    seconds,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 ms"),
        (0.0042, "4.2 ms"),
        (1, "1 s"),
        (59.94, "59.9 s"),
        (60, "1 min"),
        (90, "1.5 min"),
        (3600, "1 h"),
        (360000, "100 h"),
        (4e6, "1111 h"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text


def test_a_time_and_its_spread_have_the_same_digits():
    assert seconds(144.0, 0.4) == "2.40±0.01 min"
    assert seconds(2574.0, 36.0) == "42.9±0.6 min"
    assert seconds(500 * 3600, 7200) == "500±2 h"


def test_scenarios_in_words():
    assert scenario_label("edited:badnets") == "Forget what badnets changed"
    assert scenario_label("edited:badnets:0.25") == "Forget 25 % of what badnets changed"
    assert scenario_label("edited:my.edits:dark") == "Forget what my.edits:dark changed"
    assert scenario_label("suspected:strip") == "Forget what strip suspects"
    assert scenario_label("class:3,5") == "Forget classes 3,5"
    assert scenario_label("random:many") == "Forget random:many"
    assert scenario_label("class:") == "Forget class:"


def test_sparsities_keep_the_digits_that_tell_them_apart():
    assert level_label("omp", 0.9999) == "99.99 % OMP"
    assert level_label("omp", 0.57) == "57 % OMP"
    assert level_label("none", 0.5) == "50 % sparse"


def test_lists_of_one_and_none():
    assert listed([]) == ""
    assert listed(["FT"]) == "FT"


@given(st.text())
def test_labels_are_printable(text):
    assert method_label(text).isprintable()
    assert scenario_label(text).isprintable()
    assert printable(printable(text)) == printable(text)


@given(st.floats(-100, 100))
def test_points_have_two_digits_and_no_negative_zero(value):
    assert points(value) != "-0.00"
    assert float(points(value)) == pytest.approx(value, abs=0.00500001)
