"""The attack's classifier against scikit-learn's on every single point."""

import numpy as np
import pytest
from sklearn.svm import SVC

from expunge.metrics.membership.svc import _pool, fit_svc


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def easy(rng, n):
    return 0.9 + 0.1 * rng.random(n), 0.5 * rng.random(n)


def overlapping(rng, n):
    return rng.beta(5, 2, n), rng.beta(2, 2, n)


def well_trained(rng, n):
    """Most of both near 1, as float32 has it; some test samples are wrong."""
    wrong = rng.random(n) < 0.07
    test = np.where(wrong, sigmoid(rng.normal(-2, 3, n)), sigmoid(rng.normal(7, 3, n)))
    members = sigmoid(rng.normal(9, 2, n))
    return members.astype(np.float32).astype(np.float64), test.astype(np.float32).astype(np.float64)


def tied(rng, n):
    return np.round(rng.beta(5, 1, n), 2), np.round(rng.beta(3, 1.5, n), 2)


def saturated(rng, n):
    """Most of both are exactly 1."""
    members = np.where(rng.random(n) < 0.95, 1.0, np.round(rng.random(n), 2))
    return members, np.where(rng.random(n) < 0.8, 1.0, np.round(rng.random(n), 2))


def inside_the_margin(rng, n):
    """All so close together that no sample is outside the margin, and only extremes decide."""
    return 1 - 1e-4 * rng.random(n), 1 - 1e-4 - 1e-3 * rng.random(n)


def untrained(rng, n):
    """Near chance, members or not."""
    return 0.1 + 0.02 * rng.standard_normal(n), 0.1 + 0.02 * rng.standard_normal(n)


def sharply_peaked(rng, n):
    return 1 - rng.exponential(1e-5, n), 1 - rng.exponential(1e-3, n).clip(0, 1)


def entropies(rng, n):
    """Negative, from minus the logarithm of ten classes on."""
    return -2.3 * rng.beta(0.5, 5, n), -2.3 * rng.beta(0.8, 3, n)


def modified_entropies(rng, n):
    """Near zero where the answer is right, many times the kernel's width away where it is not."""
    wrong = rng.random(n) < 0.1
    members = -rng.exponential(0.05, n)
    return members, np.where(wrong, -rng.gamma(3, 3, n), -rng.exponential(0.1, n))


INPUTS = [
    easy,
    overlapping,
    well_trained,
    tied,
    saturated,
    inside_the_margin,
    untrained,
    sharply_peaked,
    entropies,
    modified_entropies,
]


def plain(members, non_members):
    values = np.concatenate([members, non_members]).reshape(-1, 1)
    labels = [1] * len(members) + [0] * len(non_members)
    machine = SVC(C=3, kernel="rbf", gamma="auto").fit(values, labels)
    return lambda x: machine.predict(x.reshape(-1, 1)) == 1


def compare(members, non_members):
    """Share of equal verdicts, and the largest difference of a class's score, in percent."""
    ours, theirs = fit_svc(members, non_members), plain(members, non_members)
    verdicts = [(ours(x) >= 0, theirs(x)) for x in (members, non_members)]
    agree = np.concatenate([a == b for a, b in verdicts]).mean()
    return 100 * agree, 100 * max(abs(a.mean() - b.mean()) for a, b in verdicts)


@pytest.mark.parametrize("inputs", INPUTS)
def test_few_values_are_fitted_one_by_one(inputs):
    agree, apart = compare(*inputs(np.random.default_rng(0), 150))
    assert (agree, apart) == (100, 0)


@pytest.mark.parametrize("inputs", INPUTS)
def test_pooled_values_give_the_same_verdicts(inputs):
    agree, apart = compare(*inputs(np.random.default_rng(0), 2000))
    assert agree >= 99.9
    assert apart <= 0.1


def test_classes_of_unequal_size():
    rng = np.random.default_rng(1)
    agree, apart = compare(rng.beta(6, 1, 1500), rng.beta(2, 1, 700))
    assert agree >= 99.9
    assert apart <= 0.1


def test_equal_values_count_as_often_as_they_occur():
    """Three members at 0.5 outvote one non-member there."""
    members, non_members = np.array([0.5] * 3), np.array([0.5, 0.9, 0.9])
    decide, reverse = fit_svc(members, non_members), fit_svc(non_members, members)
    assert (decide(np.array([0.5, 0.9])) >= 0).tolist() == [True, False]
    assert (reverse(np.array([0.5, 0.9])) >= 0).tolist() == [False, True]


def test_one_value_for_all_is_a_tie_as_in_libsvm():
    same = np.full(20, 0.1)
    assert (fit_svc(same, same)(same) >= 0).tolist() == plain(same, same)(same).tolist()


def test_the_order_of_samples_does_not_matter():
    rng = np.random.default_rng(2)
    members, non_members = overlapping(rng, 1500)
    x = np.linspace(0, 1, 999)
    again = fit_svc(rng.permutation(members), rng.permutation(non_members))
    assert (fit_svc(members, non_members)(x) == again(x)).all()


@pytest.mark.parametrize("inputs", INPUTS)
def test_scores_are_the_decision_function_of_one_machine(inputs):
    """Also where polynomials stand for it, and far from all that it was fitted to."""
    members, others = inputs(np.random.default_rng(0), 150)
    labels = [1] * 150 + [0] * 150
    values = np.concatenate((members, others)).reshape(-1, 1)
    machine = SVC(C=3, kernel="rbf", gamma="auto").fit(values, labels)
    x = np.append(np.linspace(values.min() - 1, values.max() + 1, 3000), [-1e9, 1e300])
    exact = machine.decision_function(x.reshape(-1, 1))
    np.testing.assert_allclose(fit_svc(members, others)(x), exact, atol=2e-3)
    few = fit_svc(members, others)(x[::100])
    np.testing.assert_allclose(fit_svc(members, others)(x)[::100], few, atol=1e-7)


@pytest.mark.parametrize("inputs", INPUTS)
def test_pooling_keeps_count_mean_and_variance(inputs):
    members, _ = inputs(np.random.default_rng(3), 3000)
    points, weights = _pool(members).points()
    assert weights.sum() == 3000
    assert (weights == np.round(weights)).all()
    assert len(points) < 400
    mean = np.average(points, weights=weights)
    assert mean == pytest.approx(members.mean(), rel=1e-12)
    assert np.average((points - mean) ** 2, weights=weights) == pytest.approx(members.var())
    assert {members.min(), members.max()} <= set(points)
