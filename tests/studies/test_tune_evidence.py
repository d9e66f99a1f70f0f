"""What can be seen without a retrained model, against slow transcriptions."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import DataError
from expunge.studies.tuning.evidence import Evidence, overspent, remembered, utility


def logits(confidences, labels, classes=3):
    """Logits that give the label this probability, and the others the rest evenly."""
    rest = (1 - np.asarray(confidences)[:, None]) / (classes - 1)
    probabilities = np.repeat(rest, classes, axis=1)
    probabilities[np.arange(len(labels)), labels] = confidences
    return np.log(probabilities).astype(np.float32)


def evidence(train, validation, forget, classes=()):
    """Of pairs (label, confidence in it)."""
    labels, confidences = map(np.array, zip(*train, strict=True))
    held, seen = map(np.array, zip(*validation, strict=True))
    flags = np.zeros(len(labels), dtype=np.bool_)
    flags[list(forget)] = True
    return Evidence(
        train_logits=logits(confidences, labels),
        train_labels=labels,
        validation_logits=logits(seen, held),
        validation_labels=held,
        forget=flags,
        classes=classes,
    )


def area_between(left, right):
    """Wasserstein-1 of two lists of (value, weight): the area between distribution functions."""
    total = Fraction(0)
    points = sorted({value for value, _ in left + right})
    for low, high in pairwise(points):
        below = [
            sum(weight for value, weight in side if value <= low) / sum(w for _, w in side)
            for side in (left, right)
        ]
        total += abs(below[0] - below[1]) * (high - low)
    return total


pairs = st.tuples(st.integers(0, 2), st.integers(1, 99).map(lambda n: n / 100))


@given(
    forget=st.lists(pairs, min_size=1, max_size=8),
    validation=st.lists(pairs, min_size=1, max_size=8),
)
def test_single_samples_are_compared_with_unseen_ones_of_the_same_classes(forget, validation):
    validation += [(0, 0.5), (1, 0.25), (2, 0.75)]
    found = remembered(evidence([*forget, (0, 0.9)], validation, range(len(forget))))
    share = {c: Fraction(sum(label == c for label, _ in forget), len(forget)) for c in range(3)}
    there = {c: sum(label == c for label, _ in validation) for c in range(3)}
    left = [(Fraction(value), Fraction(1)) for _, value in forget]
    right = [(Fraction(value), share[label] / there[label]) for label, value in validation]
    assert found == pytest.approx(100 * float(area_between(left, right)), abs=1e-4)


def test_too_little_confidence_is_as_far_as_too_much():
    held = [(0, 0.5), (1, 0.5), (2, 0.5)]
    more, less, same = (
        remembered(evidence([(0, value), (1, value), (2, 0.9)], held, [0, 1]))
        for value in (0.7, 0.3, 0.5)
    )
    assert more == pytest.approx(20, abs=1e-4)
    assert less == pytest.approx(20, abs=1e-4)
    assert same == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(("seen", "unseen"), [(0.3, 0.1), (0.1, 0.3)])
def test_a_class_is_remembered_by_the_images_on_which_more_of_it_is_left(seen, unseen):
    train = [(1, seen), (1, seen), (0, 0.9), (2, 0.9)]
    found = remembered(evidence(train, [(1, unseen), (0, 0.8)], [0, 1], classes=(1,)))
    assert found == pytest.approx(30, abs=1e-4)


def test_a_class_without_validation_samples_is_judged_by_the_forget_set_alone():
    train = [(1, 0.2), (1, 0.4), (0, 0.9)]
    assert remembered(evidence(train, [(0, 0.8)], [0, 1], classes=(1,))) == pytest.approx(30)


def test_samples_that_nothing_can_be_compared_with_are_an_error():
    with pytest.raises(
        DataError, match="no validation sample of class 2, which the forget set has"
    ):
        remembered(evidence([(2, 0.5), (0, 0.9)], [(0, 0.5), (1, 0.5)], [0]))


def test_utility_is_of_the_retained_and_where_a_class_goes_of_the_other_classes():
    train = [(1, 0.1), (0, 0.9), (2, 0.1), (2, 0.9), (0, 0.8)]
    held = [(1, 0.1), (0, 0.9), (2, 0.1)]
    single = utility(evidence(train, held, [0]))
    assert single == pytest.approx({"ra": 75.0, "va": 100 / 3})
    whole = utility(evidence(train, held, [0], classes=(1,)))
    assert whole == pytest.approx({"ra": 75.0, "va": 50.0})


def test_a_budget_is_spent_on_each_measure_and_gains_do_not_pay_for_losses():
    before = {"ra": 100.0, "va": 90.0}
    assert overspent({"ra": 99.0, "va": 89.5}, before, budget=1.0) == 0
    assert overspent({"ra": 97.0, "va": 95.0}, before, budget=1.0) == 2.0
    assert overspent({"ra": 97.0, "va": 86.0}, before, budget=1.0) == 5.0
    assert overspent({"ra": 97.0, "va": 86.0}, before, budget=0.0) == 7.0
