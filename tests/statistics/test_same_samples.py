"""Two models on the same samples, against definitions spelt out."""

import math

import numpy as np
import pytest

from expunge.errors import DataError
from expunge.statistics.same_samples import bootstrap, mcnemar


def flags(seed, n=200, right=0.8):
    rng = np.random.default_rng(seed)
    one = rng.random(n) < right
    return one, np.where(rng.random(n) < 0.2, ~one, one)


@pytest.mark.parametrize("seed", range(4))
def test_mcnemar_is_a_fair_coin_on_the_samples_that_differ(seed):
    one, other = flags(seed)
    b = sum(x and not y for x, y in zip(one, other, strict=True))
    c = sum(y and not x for x, y in zip(one, other, strict=True))
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    found = mcnemar(one, other)
    assert (found.only_one, found.only_other) == (b, c)
    assert found.p == pytest.approx(min(1, 2 * tail))


def test_models_that_answer_alike_do_not_differ():
    one, _ = flags(0)
    assert mcnemar(one, one) == (0, 0, 1.0)


@pytest.mark.parametrize("n", [1, 3, 200])
def test_where_resampling_changes_nothing_there_is_no_interval(n):
    """Three samples that both get right do not show that the models never differ."""
    one = np.ones(n, dtype=bool)
    for other, estimate in ((one, 0), (~one, 100)):
        found = bootstrap(one, other, 0)
        assert (found.estimate, found.n) == (estimate, n)
        assert not found.bounded


def test_the_bootstrap_draws_samples_with_both_models_answers():
    one, other = flags(1)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, 200, 200) for _ in range(4000)]
    slow = [100 * (one[rows].mean() - other[rows].mean()) for rows in drawn]
    found = bootstrap(one, other, 0)
    assert found.estimate == pytest.approx(100 * (one.mean() - other.mean()))
    assert (found.low, found.high) == pytest.approx(np.percentile(slow, (2.5, 97.5)), abs=0.55)
    assert found == bootstrap(one, other, 0)
    assert found.n == 200


@pytest.mark.parametrize("test", [mcnemar, lambda one, other: bootstrap(one, other, 0)])
def test_other_samples_are_refused(test):
    one, other = flags(0)
    for pair in ((one, other[1:]), (one[:0], one[:0])):
        with pytest.raises(DataError, match="the same samples"):
            test(*pair)
