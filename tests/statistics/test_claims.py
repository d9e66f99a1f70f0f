"""Verdicts on claims."""

import pytest

from expunge.config import to_mapping
from expunge.errors import ConfigError
from expunge.statistics.claims import Claim, Side, claim_from, judge

SPARSE = Side(method="ft", pruner="omp", sparsity=0.95)


def claim(**changes):
    fields = {
        "name": "sparsity brings FT closer",
        "scenario": "class:3",
        "first": SPARSE,
        "second": Side(method="ft"),
        "direction": "lower",
        "effect": 1.0,
    }
    return Claim(**(fields | changes))


def by_seed(*values):
    return dict(enumerate(values))


@pytest.mark.parametrize(
    ("first", "direction", "verdict"),
    [
        ((2.0, 2.1, 1.9), "lower", "holds"),
        ((18.0, 18.1, 17.9), "higher", "holds"),
        # Beyond zero, and smaller than the effect that was stated.
        ((9.6, 9.5, 9.55), "lower", "does not hold"),
        # The other way.
        ((18.0, 18.1, 17.9), "lower", "does not hold"),
        ((10.0, 10.1, 9.9), "lower", "does not hold"),
        # The interval holds zero and the effect.
        ((4.0, 12.0, 7.0), "lower", "not settled"),
        ((9.0, 9.0, 9.0), "lower", "holds"),
        # Two equal differences have no interval, whatever their size.
        ((1.0, 1.0), "lower", "not settled"),
        ((10.0, 10.0), "lower", "not settled"),
        ((2.0,), "lower", "not settled"),
        ((), "lower", "not settled"),
    ],
)
def test_there_are_three_verdicts(first, direction, verdict):
    found = judge(claim(direction=direction), by_seed(*first), by_seed(10.0, 10.0, 10.0))
    assert found.verdict == verdict
    assert (found.interval is None) == (len(first) < 2)


@pytest.mark.parametrize(
    ("first", "verdict"),
    [
        ((10.3, 10.1, 9.9), "holds"),
        ((9.7, 9.9, 10.1), "holds"),
        ((11.0, 11.0, 11.0), "holds"),
        ((12.0, 11.9, 12.1), "does not hold"),
        ((8.0, 8.1, 7.9), "does not hold"),
        # Wide enough to reach beyond the effect.
        ((9.0, 10.0, 11.0), "not settled"),
        ((10.0, 10.0), "not settled"),
        ((10.0,), "not settled"),
    ],
)
def test_a_difference_may_be_claimed_to_be_small(first, verdict):
    found = judge(claim(direction="within"), by_seed(*first), by_seed(10.0, 10.0, 10.0))
    assert found.verdict == verdict


def test_a_difference_of_exactly_the_effect_is_not_excluded_by_rounding():
    effect = 0.3
    first, second = by_seed(2.3, 1.3, 3.3), by_seed(2.0, 1.0, 3.0)
    assert max(first[seed] - second[seed] for seed in first) < effect + 1e-12
    assert judge(claim(effect=effect, direction="higher"), first, second).verdict == "holds"


def test_only_paired_seeds_count():
    """Between seeds the values vary far more than the difference does."""
    found = judge(claim(), by_seed(5.0, 50.0, 90.0), by_seed(8.0, 53.2, 92.9))
    assert found.verdict == "holds"
    assert found.interval.estimate == pytest.approx(-3.0333, abs=1e-4)


def test_a_claim_goes_through_a_document():
    assert claim_from(to_mapping(claim())) == claim()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"effect": "much"}, "effect must be of type float, got 'much'"),
        ({"name": {}}, "name must be"),
        ({"measure": 3}, "measure must be"),
        ({"second": None}, "claim: second must be a table such as"),
        ({"first": {}}, "first: method is missing"),
        ({"first": {"method": None}}, "first: method must be"),
        ({"first": {"method": "ft", "pruner": []}}, "first: pruner must be"),
        ({"first": {"method": "ft", "sparsity": "0.95"}}, "first: sparsity must be of type float"),
        ({"first": {"method": "ft", "levle": 3}}, "first: unknown setting 'levle'"),
    ],
)
def test_a_document_whose_claim_is_none_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        claim_from(to_mapping(claim()) | change)
    for broken in (None, [], {}):
        with pytest.raises(ConfigError):
            claim_from(broken)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"effect": 0.0}, "effect must be a number above 0, got 0.0"),
        ({"effect": float("nan")}, "effect must be a number above 0"),
        ({"second": SPARSE}, "both sides are the same"),
    ],
)
def test_a_claim_that_says_nothing_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        claim(**changes)
