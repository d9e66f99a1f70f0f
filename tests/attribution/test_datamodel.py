"""The linear datamodelling score and memorisation, against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from expunge.attribution.datamodel import (
    agreement,
    linear_datamodelling_score,
    margins,
    rank_correlations,
)
from expunge.attribution.memorisation import memorisation
from expunge.errors import DataError


@pytest.fixture
def case():
    """Outputs that are sums of true effects of the kept samples, with noise."""
    rng = np.random.default_rng(3)
    kept = rng.random((40, 12)) < 0.5
    effects = rng.standard_normal((5, 12))
    outputs = kept @ effects.T + 0.5 * rng.standard_normal((40, 5))
    return effects, kept, outputs


def test_it_is_the_mean_rank_correlation_of_sums_with_outputs(case):
    effects, kept, outputs = case
    scores = effects + 0.3 * np.random.default_rng(4).standard_normal(effects.shape)
    found = linear_datamodelling_score(scores, kept, outputs, seed=0)
    expected = []
    for target in range(5):
        sums = [sum(scores[target, i] for i in range(12) if row[i]) for row in kept]
        expected.append(spearmanr(sums, outputs[:, target]).statistic)
    assert found.mean == pytest.approx(np.mean(expected), abs=1e-12)
    assert (found.subsets, found.targets, found.constant) == (40, 5, 0)
    assert found.low < found.mean < found.high


def test_true_effects_score_high_their_opposite_low_and_others_about_zero(case):
    effects, kept, outputs = case
    right = linear_datamodelling_score(effects, kept, outputs, seed=0)
    assert right.low > 0.85
    wrong = linear_datamodelling_score(-effects, kept, outputs, seed=0)
    assert wrong.mean == pytest.approx(-right.mean)
    chance = [
        linear_datamodelling_score(
            np.random.default_rng(seed).standard_normal(effects.shape), kept, outputs, 0, 10
        ).mean
        for seed in range(30)
    ]
    assert abs(np.mean(chance)) < 0.1


def test_the_interval_is_of_a_bootstrap_over_subsets(case):
    effects, kept, outputs = case
    found = linear_datamodelling_score(effects, kept, outputs, seed=7, resamples=200)
    rng = np.random.default_rng(7)
    means = []
    for _ in range(200):
        drawn = rng.integers(40, size=40)
        each = [
            spearmanr((kept @ effects.T)[drawn, t], outputs[drawn, t]).statistic for t in range(5)
        ]
        means.append(np.mean(each))
    assert (found.low, found.high) == pytest.approx(np.percentile(means, (2.5, 97.5)), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=12))
def test_ties_get_their_mean_rank(pairs):
    one, other = (np.array(each, float)[:, None] for each in zip(*pairs, strict=True))
    (found,) = rank_correlations(one, other)
    if len(set(one[:, 0])) == 1 or len(set(other[:, 0])) == 1:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(one[:, 0], other[:, 0]).statistic)


def test_targets_on_which_all_models_agree_are_left_out_and_counted(case):
    effects, kept, outputs = case
    flat = outputs.copy()
    flat[:, 2] = 1.0
    found = linear_datamodelling_score(effects, kept, flat, seed=0)
    others = [0, 1, 3, 4]
    expected = linear_datamodelling_score(effects[others], kept, outputs[:, others], seed=0)
    assert found.mean == pytest.approx(expected.mean)
    assert (found.targets, found.constant) == (4, 1)
    with pytest.raises(DataError, match="all subset models agree on every target"):
        linear_datamodelling_score(effects, kept, np.ones_like(outputs), seed=0)


def test_the_same_outputs_agree_wholly(case):
    _, _, outputs = case
    assert agreement(outputs, np.exp(outputs), seed=0).mean == pytest.approx(1)


def test_what_does_not_fit_is_refused(case):
    effects, kept, outputs = case
    with pytest.raises(DataError, match=r"expected scores \(T, N\)"):
        linear_datamodelling_score(effects.T, kept, outputs, seed=0)
    with pytest.raises(DataError, match="expected outputs of one shape"):
        agreement(outputs, outputs[:4], seed=0)
    with pytest.raises(DataError, match="at least 3 subsets, got 2"):
        linear_datamodelling_score(effects, kept[:2], outputs[:2], seed=0)


def test_margins_are_log_odds_also_where_the_probability_rounds_to_one():
    logits = np.array([[2.0, 1.0, 0.5], [0.0, 0.0, 0.0], [200.0, 0.0, -1.0]])
    labels = np.array([0, 2, 0])
    p = np.exp(logits[:2]) / np.exp(logits[:2]).sum(1, keepdims=True)
    chosen = p[[0, 1], labels[:2]]
    found = margins(logits, labels)
    assert found[:2] == pytest.approx(np.log(chosen / (1 - chosen)))
    assert found[2] == pytest.approx(200 - np.log(1 + np.exp(-1)))
    assert logits[0, 0] == 2.0


def test_memorisation_is_right_with_it_less_right_without_it():
    rng = np.random.default_rng(0)
    kept, right = rng.random((9, 6)) < 0.5, rng.random((9, 6)) < 0.7
    kept[:, 4], kept[:, 5] = True, False
    values = rng.standard_normal((9, 6))
    found = memorisation(kept, right, values)
    for row in range(4):
        models = range(9)
        inside = [k for k in models if kept[k, row]]
        outside = [k for k in models if not kept[k, row]]
        assert (found.with_it[row], found.without_it[row]) == (len(inside), len(outside))
        for of, each in ((found.estimate, right), (found.margin, values)):
            expected = np.mean([each[k, row] for k in inside]) - np.mean(
                [each[k, row] for k in outside]
            )
            assert of[row] == pytest.approx(expected)
    assert np.isnan(found.estimate[4:]).all()
    assert set(found.order()) == {0, 1, 2, 3}


def test_the_most_memorised_come_first_and_margins_break_ties():
    kept = np.array([[True] * 4, [False] * 4])
    right = np.array([[1, 1, 1, 1], [1, 0, 1, 0]], bool)
    values = np.array([[5.0, 2.0, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert memorisation(kept, right, values).order().tolist() == [1, 3, 0, 2]


def test_shapes_of_memorisation_must_fit():
    with pytest.raises(DataError, match="expected three arrays of one shape"):
        memorisation(np.ones((2, 3), bool), np.ones((2, 4), bool), np.ones((2, 4)))
