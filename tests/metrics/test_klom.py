"""KLOM against a brute force over bins, and against the closed form that many models come to."""

import math

import numpy as np
import pytest

from expunge.errors import ConfigError, DataError
from expunge.metrics import get_metric, metric_of_a_model
from expunge.metrics.evidence import Evidence
from expunge.metrics.klom import BINS, LEAST_SHARE, Margins, divergence, margins_of
from expunge.metrics.metric import measure


def by_hand(p, q):
    """One sample: the definition, spelt out over lists of margins."""
    p, q = ([min(max(float(x), -100.0), 100.0) for x in side] for side in (p, q))
    low, high = min(p + q), max(p + q)
    if high == low:
        high = low + 1.0

    def share(side, number):
        inside = 0
        for x in side:
            place = (x - low) / (high - low) * BINS
            inside += number <= place < number + 1 or (number == BINS - 1 and place == BINS)
        return inside / len(side)

    total = 0.0
    for number in range(BINS):
        one, other = share(p, number), share(q, number)
        if one > 0:
            total += one * math.log(one / max(other, LEAST_SHARE))
    return total


def test_it_is_the_divergence_of_the_histograms():
    rng = np.random.default_rng(0)
    unlearned = rng.normal(1.0, 2.0, size=(60, 7)).astype(np.float32)
    retrained = rng.normal(0.0, 1.0, size=(50, 7)).astype(np.float32)
    unlearned[:, 0] = 3.0
    retrained[:, 0] = 3.0  # all the same: no divergence
    unlearned[:, 1] += 300  # clipped, and apart
    retrained[3, 2], unlearned[5, 2] = -np.inf, np.inf
    found = divergence(unlearned, retrained)
    expected = [by_hand(p, q) for p, q in zip(unlearned.T, retrained.T, strict=True)]
    assert found.dtype == np.float64
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert found[0] == 0
    assert found[1] == pytest.approx(-math.log(LEAST_SHARE))


def test_samples_are_apart_from_each_other_however_many():
    rng = np.random.default_rng(1)
    sides = rng.normal(size=(2, 50, 4096 + 3))
    found = divergence(*sides)
    alone = [divergence(*sides[:, :, [place]])[0] for place in (0, 4095, 4096, 4098)]
    assert found[[0, 4095, 4096, 4098]] == pytest.approx(alone, rel=1e-12)


def test_with_many_models_it_comes_to_the_closed_form():
    """N(0.5, 1) against N(0, 1): 0.125 nats. Few models are biased upwards, as bins fill by chance;
    with 40,000 the bins cost less than a twentieth of it."""
    rng = np.random.default_rng(2)
    closed = 0.5**2 / 2
    few, many = (
        divergence(rng.normal(0.5, 1, (n, 20)), rng.normal(0, 1, (n, 20))).mean()
        for n in (50, 40_000)
    )
    assert many == pytest.approx(closed, rel=0.05)
    assert few > 1.5 * closed


def test_margins_are_against_all_other_classes():
    logits = np.array([[2.0, 1.0, 0.0], [800.0, -800.0, 0.0]], dtype=np.float32)
    found = margins_of(logits, np.array([0, 2]))
    assert found[0] == pytest.approx(2.0 - math.log(math.exp(1.0) + 1.0))
    assert found[1] == pytest.approx(-800.0)
    assert logits[0, 0] == 2.0


def of(rng, shift=0.0, unlearned=60, retrained=60):
    return Margins(rng.normal(shift, 1, (unlearned, 40)), rng.normal(0, 1, (retrained, 40)))


def test_models_that_are_as_good_as_retrained_are_at_the_floor_and_others_above():
    rng = np.random.default_rng(3)
    evidence = Evidence(margins={"forget": of(rng, 2.0), "retain": of(rng)}, seed=1)
    found = measure(get_metric("klom"), evidence).value
    far, near = found["forget"], found["retain"]
    for key in ("mean", "p95"):
        assert far[f"half_{key}"] > far[f"floor_{key}"] + 4 * far[f"floor_{key}_error"]
        assert near[f"half_{key}"] == pytest.approx(
            near[f"floor_{key}"], abs=4 * near[f"floor_{key}_error"] + 0.05
        )
        assert 0 < far[f"{key}_error"] < far[key]
    # Half as many models: more of it is chance.
    assert near["half_mean"] > near["mean"]


@pytest.mark.parametrize(("unlearned", "retrained", "shift"), [(100, 100, 1.0), (50, 200, 2.0)])
def test_the_standard_error_is_that_over_models(unlearned, retrained, shift):
    """Against the spread of KLOM over sets of models that are drawn anew."""
    rng = np.random.default_rng(4)
    klom, means, errors = get_metric("klom"), [], []
    for seed in range(30):
        evidence = Evidence(margins={"forget": of(rng, shift, unlearned, retrained)}, seed=seed)
        found = measure(klom, evidence).value["forget"]
        means.append(found["mean"])
        errors.append(found["mean_error"])
    assert np.mean(errors) == pytest.approx(np.std(means, ddof=1), rel=0.4)


@pytest.mark.parametrize(("unlearned", "retrained"), [(49, 60), (60, 49)])
def test_fewer_than_fifty_a_side_are_refused(unlearned, retrained):
    with pytest.raises(DataError, match=r"KLOM needs 50 or more .* models, got 49"):
        of(np.random.default_rng(0), 0.0, unlearned, retrained)


def test_margins_that_do_not_fit_are_refused():
    sides = np.zeros((2, 50, 3))
    with pytest.raises(DataError, match=r"the same samples, got \(50, 3\) and \(50, 2\)"):
        Margins(sides[0], sides[1, :, :2])
    with pytest.raises(DataError, match="of the same samples"):
        Margins(sides[0, :, :0], sides[1, :, :0])
    sides[1, 7, 1] = math.nan
    with pytest.raises(DataError, match="margins of 1 retrained models are not all numbers"):
        Margins(*sides)


def test_a_grid_does_not_measure_it():
    with pytest.raises(ConfigError, match=r"klom is of many .*expunge evaluate --logits FOLDER"):
        metric_of_a_model("klom")
    assert metric_of_a_model("ua") is get_metric("ua")
