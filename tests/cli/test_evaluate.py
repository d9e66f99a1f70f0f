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
