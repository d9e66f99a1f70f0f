"""What every metric must satisfy, whatever it is called."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from expunge.errors import ConfigError, DataError
from expunge.metrics import COMPARED, DEFAULT_METRICS, METRICS, all_metrics, get_metric
from expunge.metrics.example import example_evidence
from expunge.metrics.metric import NEEDS, RANGES, Measured, measure


@pytest.fixture(params=METRICS, ids=lambda metric: metric.name)
def metric(request):
    return request.param


@pytest.fixture(params=[(), (1,)], ids=["random", "class"])
def evidence(request, metric):
    return example_evidence(1, request.param) if metric.example is None else metric.example()


def numbers(value):
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [number for part in parts for number in numbers(part)]
    return [] if value is None else [value]


def test_it_gives_plain_numbers_of_its_unit(metric, evidence):
    found = metric.run(evidence)
    assert isinstance(found, Measured)
    assert json.loads(json.dumps(found.value)) == found.value
    assert found.value is None or isinstance(found.value, dict) == metric.detailed
    low, high = RANGES[metric.unit]
    assert all(low <= number <= high for number in numbers(found.value))
    assert found == measure(metric, evidence)


def test_the_example_has_something_to_measure(metric):
    """In a scenario by class, which has more to tell."""
    evidence = example_evidence(1, (1,)) if metric.example is None else metric.example()
    assert len({*numbers(measure(metric, evidence).value)}) > (1 if metric.detailed else 0)


def with_logits_moved(evidence, rows):
    """The evidence, with the answers for other samples."""
    predictions = {
        name: replace(each, logits=np.roll(each.logits, rows, axis=0))
        for name, each in evidence.predictions.items()
    }
    return replace(evidence, predictions=predictions)


def test_other_evidence_gives_other_numbers(metric, evidence):
    """A metric that looks at nothing would pass all else."""
    others = [example_evidence(seed, (1,)) for seed in range(6)]
    if metric.example is not None:
        others = [with_logits_moved(metric.example(), rows) for rows in range(6)]
    found = {str(measure(metric, other).value) for other in others}
    assert len(found) > 1 or metric.unit == "fraction"


def arrays(evidence):
    found = {f"{n}.logits": p.logits for n, p in evidence.predictions.items()}
    found |= {f"{n}.labels": p.labels for n, p in evidence.predictions.items()}
    found |= {"forget": evidence.forget, "retain": evidence.retain}
    for role, load in evidence.weights.items():
        found |= {f"{role}.{name}": tensor.numpy() for name, tensor in load().items()}
    return found | {f"mask.{name}": kept.numpy() for name, kept in evidence.mask.items()}


def test_it_gives_the_same_each_time_and_changes_nothing(metric, evidence):
    before = {name: array.copy() for name, array in arrays(evidence).items()}
    np.random.seed(1)
    torch_state = torch.random.get_rng_state()
    first = metric.run(evidence)
    np.random.seed(2)
    state = str(np.random.get_state())
    assert metric.run(evidence) == first
    assert str(np.random.get_state()) == state
    assert torch.equal(torch.random.get_rng_state(), torch_state)
    for name, array in arrays(evidence).items():
        assert (array == before[name]).all(), name


def test_it_needs_all_that_it_says_and_nothing_else(metric, evidence):
    alone = evidence.only(metric.needs)
    assert metric.run(alone) == metric.run(evidence)
    for need in metric.needs:
        with pytest.raises(DataError, match=rf"\b(of|to) {need}\b"):
            metric.run(evidence.only(metric.needs - {need}))


def test_what_cannot_be_had_gives_none_with_the_reason(metric, evidence):
    for need in metric.needs:
        missing = replace(
            evidence.only(metric.needs - {need}), missing={need: f"{need} is not here"}
        )
        assert measure(metric, missing) == Measured(None, f"{need} is not here")


def test_it_does_not_mind_what_others_lack(metric, evidence):
    unneeded = {need: "not here" for need in NEEDS if need not in metric.needs}
    assert measure(metric, replace(evidence, missing=unneeded)) == metric.run(evidence)


def test_it_says_what_it_is_and_where_it_comes_from(metric):
    assert any(str(year) in metric.cite for year in range(1990, 2030))
    assert metric.version >= 1
    assert metric.needs
    for text in (metric.name, metric.short, metric.title, metric.summary, metric.good):
        assert text.strip() == text != ""
    assert metric.run.__doc__


def test_names_are_unique_and_found():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert all(get_metric(metric.name) is metric for metric in METRICS)
    assert set(all_metrics()) >= {metric.name for metric in METRICS}


def test_what_a_grid_measures_by_default_can_be_measured_everywhere():
    """No data has triggered samples unless a recipe asks for them."""
    defaults = [get_metric(name) for name in DEFAULT_METRICS]
    assert len(set(DEFAULT_METRICS)) == len(DEFAULT_METRICS)
    assert not any(need.endswith("triggered") for metric in defaults for need in metric.needs)
    assert set(COMPARED) <= set(DEFAULT_METRICS)


def test_an_unknown_metric_is_named_with_what_there_is():
    with pytest.raises(ConfigError, match=r"unknown metric 'mia_eficacy'.*did you mean"):
        get_metric("mia_eficacy")
