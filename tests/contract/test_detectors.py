"""What every detector of suspects must satisfy, whatever it is called."""

import json
import tomllib
from dataclasses import replace
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import torch

from expunge import plugins
from expunge.config import from_mapping, to_mapping
from expunge.detectors import DETECTORS, all_detectors, get_detector
from expunge.detectors.detector import score
from expunge.detectors.evidence import ARRAYS, NEEDS
from expunge.detectors.example import example_evidence, poisoned_rows
from expunge.errors import ConfigError, DataError
from expunge.scenarios import parse


@pytest.fixture(params=DETECTORS, ids=lambda detector: detector.name)
def detector(request):
    return request.param


@pytest.fixture
def config(detector):
    return detector.config() if detector.example is None else detector.example


def permuted(evidence, order):
    """The same evidence with its rows in another order."""
    place = np.argsort(order)
    return replace(
        evidence,
        labels=evidence.labels[order],
        **{name: evidence.array(name)[order] for name in ARRAYS},
        trusted=place[evidence.trusted],
        inputs=lambda rows: evidence.inputs(order[rows]),
    )


def test_it_finds_what_is_poisoned_in_its_example(detector, config):
    """Nearly all poisoned samples are above nearly all others."""
    scores = score(detector, example_evidence(1), config)
    poisoned = np.isin(np.arange(len(scores)), poisoned_rows())
    above = scores[poisoned][:, None] > scores[~poisoned]
    assert above.mean() > 0.9


def test_each_row_has_a_finite_score(detector, config):
    scores = detector.run(example_evidence(1), config)
    assert (scores.shape, scores.dtype) == ((120,), np.float64)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) > 20


def test_it_gives_the_same_each_time_and_changes_nothing(detector, config):
    evidence = example_evidence(2)
    arrays = {"labels": evidence.labels, "trusted": evidence.trusted}
    arrays |= {name: evidence.array(name) for name in ARRAYS}
    arrays["pixels"] = evidence.inputs(np.arange(120))
    before = {name: array.copy() for name, array in arrays.items()}
    np.random.seed(1)
    torch_state = torch.random.get_rng_state()
    first = detector.run(evidence, config)
    np.random.seed(2)
    state = str(np.random.get_state())
    assert np.array_equal(detector.run(evidence, config), first)
    assert str(np.random.get_state()) == state
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    for name, array in before.items():
        found = evidence.inputs(np.arange(120)) if name == "pixels" else arrays[name]
        assert np.array_equal(found, array), name


def test_the_order_of_samples_permutes_the_scores(detector, config):
    evidence = example_evidence(3)
    order = np.random.default_rng(0).permutation(120)
    scores = detector.run(evidence, config)
    again = detector.run(permuted(evidence, order), config)
    assert np.allclose(again, scores[order], rtol=1e-6, atol=1e-9)
    assert not np.allclose(again, scores, rtol=1e-6, atol=1e-9)


def test_it_needs_all_that_it_says_and_nothing_else(detector, config):
    evidence = example_evidence(1)
    alone = evidence.only(detector.needs)
    assert np.array_equal(detector.run(alone, config), detector.run(evidence, config))
    assert detector.needs <= set(NEEDS)
    for need in detector.needs:
        with pytest.raises(DataError):
            detector.run(evidence.only(detector.needs - {need}), config)


def test_a_class_without_samples_and_one_without_trusted_ones_are_no_trouble(detector, config):
    evidence = replace(example_evidence(1), trusted=np.array([1, 4]))
    kept = np.flatnonzero(evidence.labels != 2)
    fewer = replace(
        evidence,
        labels=evidence.labels[kept],
        **{name: evidence.array(name)[kept] for name in ARRAYS},
        trusted=np.searchsorted(kept, evidence.trusted),
        inputs=lambda rows: evidence.inputs(kept[rows]),
    )
    assert np.isfinite(score(detector, fewer, config)).all()


def test_settings_round_trip_through_toml_and_impossible_ones_are_refused(detector, config):
    plain = to_mapping(config)
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in plain.items())
    assert from_mapping(detector.config, tomllib.loads(toml), "toml") == config
    with pytest.raises(ConfigError, match="unknown setting 'no_such'"):
        from_mapping(detector.config, {"no_such": 1}, "x")
    for name, value in plain.items():
        wrong = "no such" if isinstance(value, str) else -1
        with pytest.raises(ConfigError, match=name):
            from_mapping(detector.config, {name: wrong}, "x")


def test_it_says_what_it_is_and_where_it_comes_from(detector):
    assert any(str(year) in detector.cite for year in range(1980, 2030))
    assert detector.version >= 1
    assert detector.summary
    assert "Source:" in detector.run.__doc__
    assert detector.config.__doc__


def test_names_are_unique_and_found():
    assert len({detector.name for detector in DETECTORS}) == len(DETECTORS)
    assert all(get_detector(detector.name) is detector for detector in DETECTORS)
    assert set(all_detectors()) >= {detector.name for detector in DETECTORS}
    with pytest.raises(ConfigError, match=r"unknown detector 'stripe'.*did you mean 'strip'"):
        parse("suspected:stripe")


ADDED = replace(DETECTORS[0], name="added")
NO_DETECTOR = "added"
TAKEN = DETECTORS[0]


def test_another_package_adds_a_detector(monkeypatch):
    def add(attribute):
        point = EntryPoint("x", f"{__name__}:{attribute}", "expunge.detectors")
        monkeypatch.setattr(plugins, "entries", lambda group: (point,))

    add("ADDED")
    assert parse("suspected:added").name == "suspected:added"
    for attribute, message in {
        "NO_DETECTOR": "must name an expunge.Detector, got",
        "TAKEN": "exists already",
    }.items():
        add(attribute)
        with pytest.raises(ConfigError, match=message):
            all_detectors()
