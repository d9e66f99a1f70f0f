"""The statistics by which a model from elsewhere is judged, by brute force."""

from itertools import product
from math import comb

import numpy as np
import pytest
import torch
from torch import nn

from expunge.errors import CheckpointError
from expunge.graph.adoption import (
    LEVEL,
    Measured,
    _between,
    _is_better,
    _reordered,
    check_measured,
)
from expunge.models.normalise import Normalise


def tail(least, count, share):
    """The probability of `least` or more out of `count`."""
    return sum(
        comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(least, count + 1)
    )


def judged(correct, count, share=0.25, expected=None):
    try:
        check_measured({"test": Measured("test", correct, count, share)}, expected)
    except CheckpointError as error:
        return str(error)
    return None


def test_better_than_chance_by_a_binomial_test():
    for correct in range(31):
        fault = judged(correct, 30)
        assert (fault is None) == (tail(correct, 30, 0.25) <= LEVEL), correct
    assert "of 30 test samples right, no better than always answering" in judged(8, 30)
    assert "(25.0 %)" in judged(8, 30)


def test_one_part_that_is_known_is_enough_and_too_few_samples_tell_nothing():
    chance, known = Measured("test", 8, 30, 0.25), Measured("train", 28, 30, 0.25)
    check_measured({"test": chance, "train": known}, None)
    with pytest.raises(CheckpointError):
        check_measured({"test": chance, "train": Measured("train", 9, 30, 0.25)}, None)
    assert judged(0, 4) is None
    assert judged(0, 5) is not None
    assert judged(30, 30, share=1.0) is None


def test_an_expectation_allows_for_chance():
    for correct in range(41):
        fault = judged(correct, 40, expected=60.0)
        # As likely or less likely than LEVEL: so few, or fewer.
        too_few = 1 - tail(correct + 1, 40, 0.6) < LEVEL
        assert (fault is not None) == too_few, correct
    assert judged(0, 40, expected=0.0) is None
    assert judged(40, 40, expected=100.0) is None
    assert "100 % were expected" in judged(39, 40, expected=100.0)


def test_the_paired_test_is_mcnemars():
    for gained, lost in product(range(16), range(6)):
        right = np.array([False] * gained + [True] * lost + [True] * 5)
        other = np.array([True] * gained + [False] * lost + [True] * 5)
        assert _is_better(other, right) == (tail(gained, gained + lost, 0.5) <= LEVEL)


def test_an_order_of_classes_is_judged_on_other_samples_than_it_is_fitted_on():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 40, 100)
    rows, right = _reordered(rng.integers(0, 40, 100), labels, 40)
    assert right.mean() < 0.2  # fitted to noise, it would be far better on the same samples
    rows, right = _reordered((labels + 3) % 40, labels, 40)
    assert right.mean() > 0.5
    rows, right = _reordered(np.array([-1, -1, 0, 0]), np.array([0, 0, 1, 1]), 2)
    assert rows.tolist() == [1, 3]
    assert right.tolist() == [False, True]


def test_another_normalisation_in_terms_of_the_inputs_of_the_present_one():
    own, wanted = Normalise((0.1, 0.2), (0.5, 2.0)), Normalise((0.4, 0.3), (0.25, 0.7))
    images = torch.rand(3, 2, 4, 4)
    assert torch.allclose(own(_between(own, wanted)(images)), wanted(images), atol=1e-5)
    assert _between(None, wanted) is wanted
    assert _between(nn.Identity(), wanted) is wanted
