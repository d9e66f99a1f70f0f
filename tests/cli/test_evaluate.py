"""What `expunge evaluate` prints of a verdict."""

import pytest
from tests.report.conftest import draws

from expunge.cli.evaluate import _print

FOUND = {
    "run": "unlearn-0123456789abcdef",
    "scenario": "class:3",
    "metrics": {"ua": 90.0, "mia_efficacy": 62.5},
    "reasons": {},
    "draws": {},
    "gap": None,
    "gap_reason": "no retrained model was given: pass --reference",
}


@pytest.fixture
def printed(capsys):
    def printed(**changes):
        _print(FOUND | changes)
        return capsys.readouterr().out

    return printed


def test_a_mean_over_draws_has_its_error_and_its_median(printed):
    shown = printed(draws={"mia_efficacy": draws(62.5, 2.0) | {"median": 61.25}})
    for text in ("62.50", "±0.45", "61.25"):
        assert text in shown
    assert "disagree" not in shown


def test_the_longest_name_is_whole_in_a_narrow_terminal(printed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    values = {"mia_efficacy": 62.5, "mia_efficacy_one_draw": 2.74}
    assert "mia_efficacy_one_draw" in printed(metrics=values, draws={"mia_efficacy": draws(62.5)})


def test_draws_that_disagree_are_told(printed):
    shown = printed(draws={"mia_efficacy": draws(62.5, 32.0) | {"median": 97.0}})
    assert "97.00" in shown
    note = (
        "Note: the draws of mia_efficacy disagree: standard deviation 32.00, 5th to 95th "
        "percentile 11.30 to 100.00; the mean is of 200 draws of the attacker's sample."
    )
    assert note in shown


def test_what_does_not_draw_has_no_such_columns(printed):
    assert "median" not in printed()


def test_counts_and_intervals_are_printed(printed):
    samples = {
        "ua": {"count": 14, "n": 15},
        "ra": {"count": 90, "n": 100},
        "ta": {"count": 45, "n": 50, "low": 78.6, "high": 95.7},
    }
    shown = printed(samples=samples)
    assert "UA: 14 of 15 forgotten samples wrong.\n" in shown
    assert "RA: 90 of 100 retained samples right.\n" in shown
    assert "TA: 45 of 50 test samples right, 95 % interval 78.60 to 95.70 (Wilson).\n" in shown


def test_two_models_are_compared_by_their_samples(printed):
    pair = {"only_model": 12, "only_reference": 5, "p": 0.143, "difference": 0.7}
    shown = printed(against_reference=pair | {"low": -0.2, "high": 1.6, "n": 1000})
    assert "12 test samples only this model gets right, 5 only the reference: p = 0.14" in shown
    assert "difference +0.70 points, 95 % interval -0.20 to +1.60" in shown
    assert "says nothing about other seeds" in shown


def test_two_models_that_agree_on_every_sample_have_no_interval(printed):
    pair = {"only_model": 0, "only_reference": 0, "p": 1.0, "difference": 0.0, "n": 3}
    shown = printed(against_reference=pair | {"low": None, "high": None})
    assert "difference +0.00 points, without an interval, as resampling changes nothing." in shown
