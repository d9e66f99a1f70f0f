import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.svm import SVC

from expunge.errors import DataError
from expunge.metrics.membership.features import true_class_confidence
from expunge.metrics.membership.protocol import mia_efficacy, mia_privacy


def confidence_by_loop(logits, labels):
    """exp(z_y) / Σ exp(z), one sample at a time, with the correctly rounded sum."""
    found = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        found.append(1 / math.fsum(math.exp(min(z - row[label], 700)) for z in row))
    return found


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 5)),
        elements=st.floats(-(2.0**20), 2.0**20, width=32),
    ),
    st.integers(0, 4),
)
def test_confidence_is_the_softmax(logits, label):
    labels = np.full(len(logits), label % logits.shape[1])
    found = true_class_confidence(logits, labels)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, confidence_by_loop(logits, labels), rtol=1e-9, atol=1e-300)
    assert ((found >= 0) & (found <= 1)).all()


def test_confidence_leaves_the_logits_alone():
    logits = np.float32([[1, 2], [3, 4]])
    true_class_confidence(logits, np.array([0, 1]))
    assert logits.tolist() == [[1, 2], [3, 4]]


def plain_attack(members, non_members):
    """The attack as published: one point a sample."""
    values = np.concatenate([members, non_members]).reshape(-1, 1)
    labels = [1] * len(members) + [0] * len(non_members)
    machine = SVC(C=3, kernel="rbf", gamma="auto").fit(values, labels)
    return lambda x: machine.predict(x.reshape(-1, 1)) == 1


def beta(rng, a, b, n):
    return rng.beta(a, b, n)


@pytest.mark.parametrize("seed", range(3))
def test_efficacy_is_the_published_attack(seed):
    """|test| retained samples against the test set; retained ones are all taken, so no draw."""
    rng = np.random.default_rng(seed)
    retain, test, forget = beta(rng, 6, 1, 200), beta(rng, 2, 1, 200), beta(rng, 3, 1, 150)
    is_member = plain_attack(retain, test)
    expected = 100 * sum(not judged for judged in is_member(forget)) / 150
    assert mia_efficacy(retain, test, forget, seed=0) == pytest.approx(expected, abs=1e-9)


def test_efficacy_fits_as_many_members_as_there_are_test_samples():
    """Drawn by the seed, without replacement."""
    rng = np.random.default_rng(1)
    retain, test, forget = beta(rng, 6, 1, 900), beta(rng, 2, 1, 100), beta(rng, 3, 1, 400)
    drawn = np.random.default_rng(5).permutation(retain)[:100]
    expected = 100 * float(np.mean(~plain_attack(drawn, test)(forget)))
    assert mia_efficacy(retain, test, forget, seed=5) == expected
    assert len({mia_efficacy(retain, test, forget, seed=s) for s in range(5)}) > 1


def test_efficacy_cuts_the_test_set_to_a_smaller_retain_set():
    rng = np.random.default_rng(2)
    retain, test, forget = beta(rng, 6, 1, 50), beta(rng, 2, 1, 300), beta(rng, 3, 1, 400)
    draw = np.random.default_rng(3)
    members, others = draw.permutation(retain)[:50], draw.permutation(test)[:50]
    expected = 100 * float(np.mean(~plain_attack(members, others)(forget)))
    assert mia_efficacy(retain, test, forget, seed=3) == expected


def test_efficacy_of_perfect_and_of_no_unlearning():
    retain, test = np.linspace(0.9, 1, 40), np.linspace(0, 0.3, 40)
    assert mia_efficacy(retain, test, np.linspace(0, 0.3, 7), seed=0) == 100
    assert mia_efficacy(retain, test, np.linspace(0.9, 1, 7), seed=0) == 0


def test_privacy_judges_what_the_attack_was_not_fitted_on():
    rng = np.random.default_rng(4)
    retain, test = beta(rng, 6, 1, 500), beta(rng, 2, 1, 101)
    draw = np.random.default_rng(7)
    members, others = draw.permutation(retain), draw.permutation(test)
    is_member = plain_attack(members[:50], others[:50])
    true_positive = sum(is_member(members[50:])) / 450
    true_negative = sum(~is_member(others[50:])) / 51
    expected = 100 * (true_positive + true_negative) / 2
    assert mia_privacy(retain, test, seed=7) == pytest.approx(expected, abs=1e-9)


def test_privacy_of_a_leaking_model_and_of_one_that_does_not():
    rng = np.random.default_rng(5)
    assert mia_privacy(np.linspace(0.9, 1, 40), np.linspace(0, 0.3, 40), seed=0) == 100
    assert mia_privacy(rng.random(600), rng.random(600), seed=0) == pytest.approx(50, abs=6)


def test_the_same_seed_gives_the_same_and_the_global_state_is_left_alone():
    rng = np.random.default_rng(6)
    retain, test, forget = beta(rng, 5, 1, 300), beta(rng, 2, 1, 100), beta(rng, 3, 1, 50)
    before = np.random.get_state()[1].copy()
    first = [mia_efficacy(retain, test, forget, 9), mia_privacy(retain, test, 9)]
    assert first == [mia_efficacy(retain, test, forget, 9), mia_privacy(retain, test, 9)]
    assert (np.random.get_state()[1] == before).all()
    assert all(type(value) is float for value in first)


@pytest.mark.parametrize(
    ("broken", "match"),
    [
        (np.array([0.5]), "needs at least 2 {} samples, got 1"),
        (np.array([]), "needs at least 2 {} samples, got 0"),
        (np.full((3, 1), 0.5), r"{} confidences must have shape \(N,\), got \(3, 1\)"),
        (np.array([0.5, 1.01]), r"{} confidences must be in 0\.\.1, got 0\.5\.\.1\.01"),
        (np.array([0.5, np.nan]), r"{} confidences must be in 0\.\.1, got nan"),
    ],
)
def test_what_cannot_be_attacked_is_refused(broken, match):
    good = np.array([0.1, 0.2, 0.3])
    with pytest.raises(DataError, match=match.format("retain")):
        mia_efficacy(broken, good, good, 0)
    with pytest.raises(DataError, match=match.format("test")):
        mia_efficacy(good, broken, good, 0)
    with pytest.raises(DataError, match=match.format("retain")):
        mia_privacy(broken, good, 0)
    with pytest.raises(DataError, match=match.format("test")):
        mia_privacy(good, broken, 0)


def test_an_empty_forget_set_is_refused():
    good = np.array([0.1, 0.2])
    with pytest.raises(DataError, match="at least 1 forget samples, got 0"):
        mia_efficacy(good, good, np.array([]), 0)
