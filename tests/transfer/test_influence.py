"""Class influences against the definition, written out, and against scipy's own tests."""

import numpy as np
import pytest
from scipy import stats

from expunge.errors import DataError
from expunge.transfer.influence import SPLITS, class_influences, split_half


def halves(models, classes, seed=0):
    """Flags in which every class is in about half of the models."""
    rng = np.random.default_rng(seed)
    flags = np.zeros((models, classes), dtype=bool)
    for row in flags:
        row[rng.permutation(classes)[: classes // 2]] = True
    return flags


def test_an_influence_is_the_mean_with_a_class_minus_the_mean_without():
    flags = halves(40, 6)
    accuracy = np.random.default_rng(1).normal(50, 5, 40)
    found = class_influences(flags, accuracy)
    assert [each.index for each in found] == list(range(6))
    for each in found:
        with_it = [a for a, row in zip(accuracy, flags, strict=True) if row[each.index]]
        without = [a for a, row in zip(accuracy, flags, strict=True) if not row[each.index]]
        assert each.influence == pytest.approx(sum(with_it) / len(with_it) - np.mean(without))
        assert (each.models_with, each.models_without) == (len(with_it), len(without))
        test = stats.ttest_ind(with_it, without, equal_var=False)
        assert (each.low, each.high) == pytest.approx(tuple(test.confidence_interval()))
        assert test.pvalue * 0.999 <= each.p <= test.pvalue * 6.001
    least = min(found, key=lambda each: each.p)
    alone = stats.ttest_ind(
        *(accuracy[flags[:, least.index] == side] for side in (True, False)), equal_var=False
    )
    assert least.p == pytest.approx(min(1.0, 6 * alone.pvalue))


def test_planted_influences_are_found_and_named():
    flags = halves(120, 8, seed=2)
    worth = np.array([-6.0, 0, 0, 5.0, 0, 0, 0, 0])
    accuracy = 50 + flags @ worth + np.random.default_rng(3).normal(0, 1, 120)
    found = class_influences(flags, accuracy)
    assert [each.index for each in found if each.verdict == "harmful"] == [0]
    assert 3 in [each.index for each in found if each.verdict == "helpful"]
    assert found[0].low < found[0].influence < found[0].high < 0


def test_where_nothing_matters_a_class_is_called_something_in_one_study_of_twenty():
    called = 0
    for seed in range(200):
        accuracy = np.random.default_rng(1000 + seed).normal(50, 3, 60)
        found = class_influences(halves(60, 10, seed), accuracy)
        called += any(each.verdict != "not settled" for each in found)
    # 5 % of 200 are 10; more than 20 has a chance of 0.2 %.
    assert called <= 20


def test_equal_accuracies_settle_nothing():
    found = class_influences(halves(20, 4), np.full(20, 30.0))
    assert {each.verdict for each in found} == {"not settled"}
    assert {(each.influence, each.low, each.high, each.p) for each in found} == {(0, 0, 0, 1)}


def test_two_equal_accuracies_on_a_side_settle_nothing():
    flags = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=bool)
    found = class_influences(flags, np.array([40.0, 40.0, 45.0, 45.0]))
    assert [(each.influence, each.low, each.high, each.p) for each in found] == [
        (-5.0, None, None, 1.0),
        (5.0, None, None, 1.0),
    ]
    assert {each.verdict for each in found} == {"not settled"}


def test_halves_agree_where_influences_are_strong_and_not_where_there_are_none():
    flags = halves(200, 10, seed=4)
    noise = np.random.default_rng(5).normal(0, 1, 200)
    strong = split_half(flags, flags @ np.arange(10.0) + noise, seed=0)
    none = split_half(flags, noise, seed=0)
    assert len(strong) == len(none) == SPLITS
    assert np.mean(strong) > 0.9
    assert abs(np.mean(none)) < 0.4
    assert split_half(flags, noise, seed=0) == none != split_half(flags, noise, seed=1)


def test_too_few_models_for_halves_give_no_stability():
    flags = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=bool)
    assert split_half(flags, np.arange(4.0), seed=0) == []


def test_classes_that_models_cannot_tell_are_one_line():
    flags = halves(10, 4)
    flags[:, 2] = True
    with pytest.raises(DataError, match="with 10 models that is not so for 1 of 4 classes"):
        class_influences(flags, np.arange(10.0))
    with pytest.raises(DataError, match=r"got \(10, 4\) and \(9,\)"):
        class_influences(halves(10, 4), np.arange(9.0))
