"""What every edit of training data must satisfy, whatever it is called."""

import json
import tomllib
from dataclasses import replace

import pytest
import torch
from tests.kinds import clouds

from expunge.config import from_mapping, to_mapping
from expunge.data.edits import EDITS, all_edits, get_edit
from expunge.data.facts import facts_of
from expunge.data.identity import fingerprint
from expunge.errors import ConfigError, DataError
from expunge.types import Dataset


@pytest.fixture(params=EDITS, ids=lambda edit: edit.name)
def edit(request):
    return request.param


@pytest.fixture
def config(edit):
    return edit.config() if edit.example is None else edit.example


def test_samples_stay_who_they_are_and_those_that_changed_or_came_are_named(edit, config, samples):
    edited = edit.run(samples, config, 3)
    after, count = edited.samples, len(samples)
    assert (after.ids[:count], after.class_names, after.name) == (
        samples.ids,
        samples.class_names,
        samples.name,
    )
    assert len(after.ids) == len(set(after.ids)) == len(after.labels) == len(after.inputs)
    assert 0 < len(edited.touched) < len(samples)
    rows = [after.ids.index(name) for name in edited.touched]
    assert rows == sorted(set(rows))
    (images,) = after.inputs.batches([torch.arange(count)])
    changed = (after.labels[:count] != samples.labels) | (images != samples.inputs.tensor).flatten(
        1
    ).any(1)
    added = set(range(count, len(after)))
    assert set(changed.nonzero().flatten().tolist()) | added <= set(rows)
    assert changed.any() or added
    assert set(after.labels.tolist()) <= set(range(samples.num_classes))


def refusal(function, *words):
    """What a function says when it refuses; None if it does not."""
    try:
        function(*words)
    except ConfigError as error:
        return str(error)
    return None


def test_a_check_of_its_settings_refuses_what_it_would_refuse_itself(edit, config, samples):
    """And nothing that it would take."""
    if edit.check is None:
        pytest.skip("refuses nothing beforehand")
    facts = facts_of(Dataset(train=samples, test=samples))
    edit.check(config, facts)
    places = {"target": 3, "size": 9, "row": 8, "column": -1}
    known = {name: each for name, each in places.items() if name in vars(config)}
    assert known
    refused = set()
    for name, each in known.items():
        other = replace(config, **{name: each})
        early = refusal(edit.check, other, facts)
        assert early == refusal(edit.run, samples, other, 0)
        refused |= set() if early is None else {name}
    # Marks of images in grey have no row and no column of their own.
    assert refused == known.keys() if edit.marks is None else "size" in refused
    vectors = clouds()
    with pytest.raises(DataError, match="changes images"):
        edit.check(config, facts_of(Dataset(train=vectors, test=vectors)))


def test_what_is_given_is_not_changed(edit, config, samples):
    images, labels = samples.inputs.tensor.clone(), samples.labels.clone()
    edited = edit.run(samples, config, 3).samples
    if edit.trigger is not None:
        edit.trigger.show(samples, config)
    assert torch.equal(samples.inputs.tensor, images)
    assert torch.equal(samples.labels, labels)
    assert edited.labels.data_ptr() != samples.labels.data_ptr()


def test_the_fingerprint_is_that_of_what_came_out(edit, config, samples):
    edited = edit.run(samples, config, 3).samples
    expected = fingerprint(edited.inputs, edited.labels, edited.ids, edited.class_names)
    assert edited.fingerprint == expected != samples.fingerprint


def test_the_seed_decides_and_the_global_random_state_is_left_alone(edit, config, samples):
    state = torch.random.get_rng_state()
    one, same, other = (edit.run(samples, config, seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert (one.touched, one.samples.fingerprint) == (same.touched, same.samples.fingerprint)
    assert one.touched != other.touched


def test_a_trigger_is_in_every_sample_and_keeps_its_label(edit, config, samples):
    if edit.trigger is None:
        pytest.skip("has no trigger")
    shown = edit.trigger.show(samples, config)
    different = (shown.inputs.tensor != samples.inputs.tensor).flatten(1).any(1)
    assert different.all()
    assert torch.equal(shown.labels, samples.labels)
    assert (shown.ids, shown.fingerprint) != (samples.ids, samples.fingerprint)
    assert 0 <= edit.trigger.target(config) < samples.num_classes


def test_a_triggered_sample_looks_like_a_touched_one(edit, config, samples):
    """Otherwise the population would say nothing of the backdoor."""
    if edit.trigger is None:
        pytest.skip("has no trigger")
    edited = edit.run(samples, config, 3)
    shown = edit.trigger.show(samples, config)
    rows = torch.tensor([samples.ids.index(name) for name in edited.touched])
    assert torch.equal(edited.samples.inputs.tensor[rows], shown.inputs.tensor[rows])
    assert (edited.samples.labels[rows] == edit.trigger.target(config)).all()


def test_settings_round_trip_through_toml_and_impossible_ones_are_refused(edit, config):
    plain = to_mapping(config)
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in plain.items())
    assert from_mapping(edit.config, tomllib.loads(toml), "toml") == config
    with pytest.raises(ConfigError, match="unknown setting 'no_such'"):
        from_mapping(edit.config, {"no_such": 1}, "x")
    for name, value in plain.items():
        if isinstance(value, float):
            with pytest.raises(ConfigError, match=name):
                from_mapping(edit.config, {name: float("nan")}, "x")


def test_it_says_what_it_is_and_where_it_comes_from(edit):
    assert any(str(year) in edit.cite for year in range(1980, 2030))
    assert edit.version >= 1
    assert edit.summary
    assert edit.run.__doc__
    assert edit.config.__doc__


def test_names_are_unique_and_found():
    assert len({edit.name for edit in EDITS}) == len(EDITS)
    assert all(get_edit(edit.name) is edit for edit in EDITS)
    assert set(all_edits()) >= {edit.name for edit in EDITS}
