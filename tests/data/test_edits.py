"""The edits of a spec: registry, settings, order, what they make of a dataset; populations."""

import json
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
import torch
from tests.kinds import clouds

from expunge import plugins
from expunge.config import from_mapping, to_mapping
from expunge.data.edits import EDITS, all_edits, get_edit
from expunge.data.edits.apply import (
    apply_edits,
    check_trigger,
    edit_configs,
    target_of,
    triggering,
)
from expunge.data.edits.badnets import BadnetsConfig
from expunge.data.edits.edit import Edited
from expunge.data.facts import facts_of
from expunge.data.populations import POPULATIONS, population_of
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError
from expunge.settings import derive_seed
from expunge.types import Dataset

PATCH = {"share": 0.2, "target": 3, "size": 2, "row": 0, "column": -2, "value": 255}
SPEC = DataSpec(
    source="digits",
    train_limit=200,
    test_limit=80,
    validation_fraction=0.1,
    seed=5,
    edits={"relabel": {"share": 0.5}, "badnets": PATCH},
)


def same(samples, config, seed):
    return Edited(samples, ())


def fewer(samples, config, seed):
    return Edited(replace(samples, ids=samples.ids[:-1]), ())


SAME = replace(EDITS[1], name="same", run=same)
SECOND = replace(EDITS[0], name="second")
FEWER = replace(SAME, name="fewer", run=fewer)
TAKEN = replace(SAME, name=EDITS[0].name)
NO_EDIT = "same"


@pytest.fixture
def entry_point(monkeypatch):
    def add(attribute):
        entry = EntryPoint("x", f"tests.data.test_edits:{attribute}", "expunge.edits")
        monkeypatch.setattr(plugins, "entries", lambda group: (entry,))

    return add


@pytest.fixture(scope="module")
def plain():
    return load(SPEC)


def test_another_package_adds_an_edit(entry_point, plain):
    entry_point("SAME")
    assert list(all_edits())[-1] == "same"
    spec = replace(SPEC, edits={"same": {}})
    assert apply_edits(plain, spec)[1] == {"same": ()}


@pytest.mark.parametrize(
    ("attribute", "message"),
    [("NO_EDIT", "must name an expunge.Edit, got"), ("TAKEN", "'badnets' exists already")],
)
def test_what_cannot_be_added_is_refused(entry_point, attribute, message):
    entry_point(attribute)
    with pytest.raises(ConfigError, match=message):
        all_edits()


def test_an_edit_must_keep_the_ids(entry_point, plain):
    entry_point("FEWER")
    with pytest.raises(DataError, match="edit fewer changed the ids"):
        apply_edits(plain, replace(SPEC, edits={"fewer": {}}))


def test_one_trigger_at_most(entry_point):
    entry_point("SECOND")
    with pytest.raises(ConfigError, match="one edit with a trigger at most, got badnets, second"):
        replace(SPEC, edits={"second": {}, "badnets": {}})


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"badnet": {}}, "unknown edit 'badnet'.*did you mean 'badnets'"),
        ({"badnets": {"shares": 0.1}}, "edits.badnets: unknown setting 'shares'"),
        ({"badnets": {"share": 1.0}}, "edits.badnets: share must be between 0 and 1"),
        ({"badnets": {"share": "1"}}, "share must be of type float"),
        ({"badnets": 0.1}, r"edits.badnets must be a table .* \[data.edits.badnets\]"),
        ("badnets", "edits must be a table"),
    ],
)
def test_edits_that_cannot_be_made_are_refused_with_the_spec(given, match):
    with pytest.raises(ConfigError, match=match):
        DataSpec(source="digits", edits=given)


def test_a_spec_with_edits_is_hashable_and_goes_through_json():
    again = from_mapping(DataSpec, json.loads(json.dumps(to_mapping(SPEC), sort_keys=True)), "data")
    assert again == SPEC
    assert {SPEC: 1}[again] == 1
    assert replace(SPEC, edits={}) != SPEC
    assert list(edit_configs(SPEC.edits)) == ["badnets", "relabel"]
    assert edit_configs(SPEC.edits)["badnets"] == BadnetsConfig(**PATCH)


def test_edits_follow_each_other_by_name_and_touch_training_samples_only(plain):
    found, touched = apply_edits(plain, SPEC)
    expected = plain.train
    for name in ("badnets", "relabel"):
        edit = get_edit(name)
        config = edit.config(**SPEC.edits[name])
        edited = edit.run(expected, config, derive_seed(5, f"edit {name}"))
        assert touched[name] == edited.touched
        expected = edited.samples
    assert found.train.fingerprint == expected.fingerprint != plain.train.fingerprint
    assert torch.equal(found.train.labels, expected.labels)
    assert (found.test, found.validation) == (plain.test, plain.validation)
    assert list(touched) == ["badnets", "relabel"]


def test_another_seed_touches_others(plain):
    touched = [
        apply_edits(plain, replace(SPEC, seed=seed, edits={"badnets": PATCH}))[1]
        for seed in (0, 1, 0)
    ]
    assert touched[0] == touched[2] != touched[1]


def test_without_edits_the_data_is_itself(plain):
    assert apply_edits(plain, replace(SPEC, edits={})) == (plain, {})


def test_every_population_is_found(plain):
    found = {name: population_of(plain, name, SPEC) for name in POPULATIONS}
    assert found["train"] is plain.train
    assert found["test"] is plain.test
    assert found["validation"] is plain.validation
    triggered = found["triggered"]
    expected = plain.test.inputs.tensor.clone()
    expected[:, :, 0:2, 6:8] = 255
    assert torch.equal(triggered.inputs.tensor, expected)
    assert torch.equal(triggered.labels, plain.test.labels)
    assert triggered.ids == plain.test.ids


def test_a_population_that_the_data_lacks_is_refused(plain):
    bare = replace(SPEC, edits={"relabel": {}})
    with pytest.raises(ConfigError, match="digits has no triggered samples: add an edit"):
        population_of(plain, "triggered", bare)
    with pytest.raises(ConfigError, match="digits has no validation samples"):
        population_of(replace(plain, validation=None), "validation", SPEC)
    with pytest.raises(ConfigError, match=r"unknown population 'trigered'.*did you mean"):
        population_of(plain, "trigered", SPEC)


def test_the_target_is_that_of_the_edit_with_a_trigger():
    assert target_of(SPEC.edits) == 3
    assert target_of({"relabel": {}}) is None
    assert target_of({}) is None
    assert triggering({}) is None


def test_a_trigger_for_data_that_cannot_carry_it_is_refused():
    vectors = clouds()
    facts = facts_of(Dataset(train=vectors, test=vectors))
    with pytest.raises(DataError, match=r"badnets changes images .* got vectors"):
        check_trigger({"badnets": {}}, facts)
