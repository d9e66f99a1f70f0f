"""Measures of generated images against their definitions."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg

from expunge.errors import DataError, TooFewSamplesError
from expunge.metrics.evidence import Evidence, Predictions
from expunge.metrics.frechet import (
    FRECHET,
    FRECHET_FLOOR,
    frechet,
    frechet_distance,
    frechet_floor,
)
from expunge.metrics.generation import ACCURACY_GENERATED, UA_GENERATED
from expunge.metrics.metric import measure


def by_definition(one, other):
    """Heusel et al. 2017, equation 6, with scipy's square root of a matrix."""
    first, second = np.cov(one.T), np.cov(other.T)
    root = scipy.linalg.sqrtm(first @ second)
    difference = one.mean(0) - other.mean(0)
    return float(difference @ difference + np.trace(first + second - 2 * root.real))


@pytest.mark.parametrize("size", [3, 12])
def test_the_distance_is_the_definition(size):
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(size, size))
    one = rng.normal(size=(60, size)) @ mix
    other = rng.normal(size=(50, size)) * np.arange(1, size + 1) + 0.3
    assert frechet_distance(one, other) == pytest.approx(by_definition(one, other), rel=1e-9)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other))


def test_it_takes_more_features_than_images():
    rng = np.random.default_rng(1)
    found = frechet_distance(rng.normal(size=(5, 20)), rng.normal(size=(5, 20)) + 1)
    assert found > 10


def test_one_image_is_too_few():
    with pytest.raises(TooFewSamplesError, match="two images or more, got 1"):
        frechet_distance(np.ones((1, 2)), np.ones((5, 2)))


def judged(rng, labels, shift=0.0):
    logits = rng.normal(size=(len(labels), 4)).astype(np.float32)
    features = (rng.normal(size=(len(labels), 3)) + labels[:, None] + shift).astype(np.float32)
    return Predictions(logits, labels, features=features)


@pytest.fixture
def evidence():
    """Class 2 is forgotten; of class 3 there are fewest real images, nine."""
    rng = np.random.default_rng(2)
    real = np.repeat([0, 1, 2, 3], [20, 15, 30, 9])
    return Evidence(
        predictions={
            "generated": judged(rng, np.repeat(np.arange(4), 6), 0.5),
            "real": judged(rng, real),
        },
        forget=real == 2,
        retain=real != 2,
        classes=(2,),
        seed=5,
    )


def test_only_retained_classes_count_and_all_as_often(evidence, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "expunge.metrics.frechet.frechet_distance",
        lambda one, other: seen.append((one, other)) or 1.0,
    )
    assert (frechet(evidence).value, frechet_floor(evidence).value) == (1.0, 1.0)
    (generated, real), (others, again) = seen
    assert np.array_equal(real, again)
    assert len(generated) == len(real) == len(others) == 3 * 4
    for name, found in (("generated", generated), ("real", real), ("real", others)):
        labels = dict(
            zip(
                map(tuple, evidence.predictions[name].features.astype(float)),
                evidence.predictions[name].labels.tolist(),
                strict=True,
            )
        )
        assert sorted(labels[tuple(row)] for row in found) == [0] * 4 + [1] * 4 + [3] * 4
    assert not {tuple(row) for row in real} & {tuple(row) for row in others}


def test_the_parts_are_drawn_by_the_seed(evidence):
    other = replace(evidence, seed=6)
    assert frechet(evidence) == frechet(replace(evidence))
    assert frechet_floor(evidence) != frechet_floor(other)


def test_images_that_are_further_off_are_further_off(evidence):
    far = dict(evidence.predictions)
    found = far["generated"]
    far["generated"] = replace(found, features=found.features + 3)
    assert frechet(replace(evidence, predictions=far)).value > 5 + frechet(evidence).value


def test_what_cannot_be_compared_has_a_reason(evidence):
    rare = np.where(np.arange(74) == 73, 3, 1)
    found = replace(
        evidence,
        predictions={
            **evidence.predictions,
            "real": replace(evidence.predictions["real"], labels=rare),
        },
        forget=np.arange(74) < 3,
        retain=np.arange(74) >= 3,
        classes=(0, 2),
    )
    assert "fewer than two real images" in measure(FRECHET, found).reason
    every = replace(evidence, classes=(0, 1, 2, 3))
    assert "every class is forgotten" in measure(FRECHET_FLOOR, every).reason
    bare = replace(evidence.predictions["generated"], features=None)
    found = replace(evidence, predictions={**evidence.predictions, "generated": bare})
    with pytest.raises(DataError, match="no features"):
        frechet(found)


def test_shares_are_of_what_was_asked_for(evidence):
    found = evidence.predictions["generated"]
    named = found.logits.argmax(1).tolist()
    pairs = list(zip(named, found.labels.tolist(), strict=True))
    forgotten = [name == asked for name, asked in pairs if asked == 2]
    others = [name == asked for name, asked in pairs if asked != 2]
    assert measure(UA_GENERATED, evidence).value == pytest.approx(100 - 100 * sum(forgotten) / 6)
    assert measure(ACCURACY_GENERATED, evidence).value == pytest.approx(100 * sum(others) / 18)


def test_without_a_forgotten_class_none_is_asked_for(evidence):
    found = measure(UA_GENERATED, replace(evidence, classes=()))
    assert found.value is None
    assert "no class is forgotten" in found.reason
