"""Metrics over draws of the attacker's sample: which samples are drawn, and what they give."""

import statistics
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles import draws as oracle

from expunge.errors import ConfigError, DataError
from expunge.metrics import get_metric
from expunge.metrics.draws import FEW, MANY, Draws, over_draws
from expunge.metrics.evidence import Evidence, Predictions
from expunge.metrics.example import example_evidence
from expunge.metrics.membership import protocol
from expunge.metrics.membership.protocol import (
    Known,
    efficacy_over_draws,
    mia_efficacy,
    privacy_over_draws,
)
from expunge.metrics.membership.sampling import draw, keys_of
from expunge.metrics.metric import Measured, measure


def names(count, prefix="id"):
    return [f"{prefix}{place}" for place in range(count)]


def known(values, ids):
    return Known(values, keys_of(ids))


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.tuples(st.integers(2, 40), st.integers(2, 40), st.integers(1, 20)),
    shape=st.sampled_from([(6, 1), (2, 1), (2, 2)]),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_draw_is_the_attack_on_that_sample_alone(sizes, shape, seed):
    """Speed changes no draw: one at a time, in plain Python, they are the same."""
    rng = np.random.default_rng(seed % 1000)
    retain, test = rng.beta(*shape, sizes[0]), rng.beta(2, 1, sizes[1])
    forget = rng.random(sizes[2])
    ids, others = names(sizes[0]), names(sizes[1], "test")
    by_id = oracle.by_id(retain, ids), oracle.by_id(test, others)
    of = known(retain, ids), known(test, others)
    # Five draws show it as well as two hundred.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "over_draws", lambda one: over_draws(one, few=5, many=5))
        found = efficacy_over_draws(*of, forget, seed).values
        told_apart = privacy_over_draws(*of, seed).values
    np.testing.assert_allclose(found, oracle.efficacy(*by_id, forget, seed, 5, 5), atol=1e-9)
    np.testing.assert_allclose(told_apart, oracle.privacy(*by_id, seed, 5, 5), atol=1e-9)


def bimodal():
    """An attacker who can tell nothing: which of two verdicts all get is decided by the draw."""
    rng = np.random.default_rng(0)
    return rng.normal(0.8, 0.01, 400).clip(0, 1), rng.normal(0.8, 0.01, 80).clip(0, 1)


def test_draws_that_disagree_are_two_hundred():
    retain, test = bimodal()
    found = efficacy_over_draws(
        known(retain, names(400)), known(test, names(80)), np.full(9, 0.8), seed=1
    )
    assert found.n == MANY
    assert not found.agree
    assert {0.0, 100.0} <= set(found.values)


def test_a_draw_is_of_ids_whatever_their_order_or_values():
    keys = keys_of(names(50))
    order = np.random.default_rng(0).permutation(50)
    for number in range(5):
        inside, outside = draw(keys, 20, 3, number)
        assert sorted([*inside, *outside]) == list(range(50))
        again, _ = draw(keys[order], 20, 3, number)
        assert sorted(order[again]) == sorted(inside)
        assert {f"id{place}" for place in inside} == oracle.drawn(names(50), 20, 3, number)


def test_a_sample_that_is_gone_changes_one_place_of_a_draw():
    keys = keys_of(names(60))
    for number in range(10):
        whole = {f"id{place}" for place in draw(keys, 20, 0, number)[0]}
        rest = names(60)[1:]
        left = {rest[place] for place in draw(keys[1:], 20, 0, number)[0]}
        assert len(whole - left) == ("id0" in whole)


def test_draws_are_uniform_and_do_not_follow_from_each_other():
    keys = keys_of(names(200))
    drawn = np.zeros((400, 200), bool)
    for number in range(400):
        drawn[number, draw(keys, 50, 7, number)[0]] = True
    # A sample is in a quarter of the draws: 100 of 400, with a deviation of 8.7.
    assert np.abs(drawn.sum(0) - 100).max() < 4.5 * 8.7
    # Two draws share 12.5 samples of 50 on average.
    shared = [(a & b).sum() for a, b in pairwise(drawn)]
    assert np.mean(shared) == pytest.approx(12.5, abs=0.6)


def test_a_draw_of_all_has_no_others():
    inside, outside = draw(keys_of(names(4)), 4, 0, 0)
    assert sorted(inside) == [0, 1, 2, 3]
    assert len(outside) == 0


def test_the_same_samples_are_drawn_for_every_model_of_a_scenario(monkeypatch):
    """Whatever a model answers, and though forgotten rows are gone from one of the predictions."""
    size = 300
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, size)
    forget = np.arange(size) % 9 == 0
    ids = np.array(names(size))
    fitted = []

    def record(keys, count, seed, number):
        chosen = draw(keys, count, seed, number)
        fitted.append({int(key) for key in keys[chosen[0]]})
        return chosen

    monkeypatch.setattr(protocol, "draw", record)

    def of_model(logits, rows):
        fitted.clear()
        e = Evidence(
            predictions={
                "train": Predictions(logits[rows], labels[rows]),
                "test": Predictions(logits[:100], labels[:100]),
            },
            forget=forget[rows],
            retain=~forget[rows],
            ids=ids[rows].tolist(),
            seed=5,
        )
        measure(get_metric("mia_efficacy"), e)
        return [*fitted[: 2 * FEW]]

    one = of_model(rng.normal(size=(size, 3)).astype(np.float32), np.arange(size))
    logits = rng.normal(size=(size, 3)).astype(np.float32)
    logits[np.arange(size), labels] += 3
    assert of_model(logits, np.arange(size)) == one
    # Five forgotten rows less: other places, the same retained samples.
    rows = np.delete(np.arange(size), np.flatnonzero(forget)[:5])
    assert of_model(logits, rows) == one


FORMER = {
    "few": 40.0,
    "many": 35.5,
}
"""What `mia_efficacy` gave before there were draws, of the samples below."""


@pytest.mark.parametrize("case", FORMER)
def test_the_value_of_one_draw_is_the_former_one(case):
    rng = np.random.default_rng(11)
    size = {"few": 300, "many": 3000}[case]
    train, test = rng.normal(size=(size, 4)), rng.normal(size=(size // 2, 4))
    labels = rng.integers(0, 4, size), rng.integers(0, 4, size // 2)
    train[np.arange(size), labels[0]] += 3
    test[np.arange(size // 2), labels[1]] += 2
    forget = np.arange(size) % 15 == 0
    e = Evidence(
        predictions={
            "train": Predictions(train.astype(np.float32), labels[0]),
            "test": Predictions(test.astype(np.float32), labels[1]),
        },
        forget=forget,
        retain=~forget,
        seed=17,
    )
    assert measure(get_metric("mia_efficacy_one_draw"), e).value == FORMER[case]


def test_what_is_kept_of_draws():
    values = [float(v) for v in np.random.default_rng(0).normal(50, 9, 30)]
    found = Draws(tuple(values)).summary()
    ranked = sorted(values)
    place = 0.05 * 29
    assert found == pytest.approx(
        {
            "n": 30,
            "mean": statistics.fmean(values),
            "deviation": statistics.stdev(values),
            "standard_error": statistics.stdev(values) / 30**0.5,
            "median": statistics.median(values),
            "p5": ranked[1] + (place - 1) * (ranked[2] - ranked[1]),
            "p95": ranked[28] - (place - 1) * (ranked[28] - ranked[27]),
            "agree": False,
        }
    )


def test_draws_agree_up_to_a_deviation_of_five():
    close = over_draws(lambda number: 50 + 6 * (number % 2))
    assert (close.n, close.agree) == (FEW, True)
    far = over_draws(lambda number: 50 + 20 * (number % 2))
    assert (far.n, far.agree) == (MANY, False)
    # Two hundred may agree where twenty did not.
    late = over_draws(lambda number: 50 + 20 * (number == 0) + 20 * (number == 1))
    assert (late.n, late.agree) == (MANY, True)


@pytest.mark.parametrize("values", [(), (1.0,), (1.0, float("nan"))])
def test_draws_need_two_finite_values(values):
    with pytest.raises(ConfigError, match="two or more finite draws"):
        Draws(values)


def test_a_metric_says_whether_it_draws():
    drawn, plain = Measured.over(Draws((40.0, 60.0))), Measured(50.0)
    half = replace(get_metric("ua"), name="half")
    for metric, found, what in (
        (replace(half, drawn=True), plain, "drawn=True, and gave no draws"),
        (half, drawn, "drawn=False, and gave draws"),
    ):
        with pytest.raises(ConfigError, match=what):
            measure(replace(metric, run=lambda _, found=found: found), example_evidence())
    with pytest.raises(ConfigError, match=r"their mean, 50\.0, got 49\.0"):
        Measured(49.0, draws=Draws((40.0, 60.0)))
    with pytest.raises(ConfigError, match="draws are of single numbers"):
        replace(half, drawn=True, detailed=True, compared=False)


def test_ids_must_fit_the_flags():
    e = example_evidence()
    with pytest.raises(DataError, match="expected 90 ids, got 89"):
        replace(e, ids=e.ids[:-1])


def test_too_little_to_draw_from_is_refused_as_for_one_draw():
    two, one = known(np.array([0.1, 0.2]), ["a", "b"]), known(np.array([0.1]), ["a"])
    for retain, test in ((one, two), (two, one)):
        with pytest.raises(DataError, match="at least 2"):
            efficacy_over_draws(retain, test, np.array([0.5]), 0)
        with pytest.raises(DataError, match="at least 2"):
            privacy_over_draws(retain, test, 0)
    with pytest.raises(DataError, match="at least 1 forget"):
        efficacy_over_draws(two, two, np.array([]), 0)
    assert efficacy_over_draws(two, two, np.array([0.1]), 0).deviation == 0
    assert mia_efficacy(two.values, two.values, np.array([0.1]), 0) in (0.0, 100.0)
