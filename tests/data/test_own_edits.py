"""Edits of one's own: a function of arrays, or an `Edit`, by name."""

import sys

import numpy as np
import pytest
import torch
from tests.kinds import clouds, sentences, stripes

from expunge.data.edits import get_edit
from expunge.data.edits.apply import apply_edits, edit_configs, target_of
from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.errors import ConfigError, DataError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.runtime import Place, Runtime, read_facts
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.scenarios import parse
from expunge.settings import Training

CODE = '''
"""Edits."""
import numpy as np
from dataclasses import dataclass, replace
from expunge.data.edits.badnets import EDIT as BADNETS

def third(inputs, labels, seed):
    """Every third sample at half of its values, under the next label."""
    print("third was here")
    inputs[::3] = inputs[::3] // 2 if inputs.dtype == np.uint8 else inputs[::3] / 2
    labels[1::3] = (labels[1::3] + seed % 2) % (labels.max() + 1)
    return inputs, labels

def nothing(inputs, labels, seed):
    return inputs, labels

def one(inputs, labels, seed):
    return inputs

def fewer(inputs, labels, seed):
    return inputs[1:], labels[1:]

def floats(inputs, labels, seed):
    return inputs.astype(float), labels

def classless(inputs, labels, seed):
    return inputs, labels + 1

def infinite(inputs, labels, seed):
    return inputs / np.zeros(1, inputs.dtype), labels

def broken(inputs, labels, seed):
    raise ValueError("no such thing")

PATCH = replace(BADNETS, summary="mine")
NUMBER = 3
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of edits; write another text to it, and it is read anew."""
    name = "edits_of_the_tests_of_own_edits"
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text=CODE):
        sys.modules.pop(name, None)
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    sys.modules.pop(name, None)


def rows_of(edited):
    return [edited.samples.ids.index(name) for name in edited.touched]


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("kind", [lambda: stripes(9, (3, 8, 8)), clouds], ids=["images", "vectors"])
def test_what_a_function_changes_is_what_it_touched(module, kind, seed, capsys):
    samples = kind()
    before, labels = samples.inputs.tensor.clone(), samples.labels.clone()
    edit = get_edit(f"{module()}:third")
    edited = edit.run(samples, edit.config(), seed)
    assert torch.equal(samples.inputs.tensor, before)
    assert torch.equal(samples.labels, labels)
    halved = before[::3] // 2 if before.dtype == torch.uint8 else before[::3] / 2
    assert torch.equal(edited.samples.inputs.tensor[::3], halved)
    rows = [row for row in range(len(samples)) if row % 3 == 0 or (row % 3 == 1 and seed % 2)]
    assert rows_of(edited) == rows
    assert edited.samples.fingerprint != samples.fingerprint
    assert edited.samples.ids == samples.ids
    # Standard output is for results.
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "the edit 'nothing' changed none of 9 samples"),
        ("one", "must return inputs and labels, got ndarray"),
        ("fewer", r"inputs must stay uint8 of shape \(9, 3, 8, 8\), got uint8 of shape \(8, 3"),
        ("floats", r"inputs must stay uint8 of shape .* got float64"),
        ("classless", r"labels must be in 0\.\.2, got 1\.\.3"),
        ("broken", "the edit 'broken' raised ValueError: no such thing"),
    ],
)
def test_what_a_function_must_not_do_is_one_line(module, name, message):
    edit = get_edit(f"{module()}:{name}")
    with pytest.raises(DataError, match=message) as caught:
        edit.run(stripes(9, (3, 8, 8)), edit.config(), 0)
    assert "\n" not in str(caught.value)


def test_values_that_are_not_finite_and_tokens_are_refused(module):
    edit = get_edit(f"{module()}:infinite")
    with np.errstate(all="ignore"), pytest.raises(DataError, match="inputs of 30 of 30 samples"):
        edit.run(clouds(), edit.config(), 0)
    with pytest.raises(DataError, match="expected images or vectors, got tokens"):
        edit.run(sentences(), edit.config(), 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NUMBER", "must be a function of inputs, labels and a seed, or an expunge.Edit, got int"),
        ("absent", "cannot import '.*:absent', expected package.module:callable"),
        (":", "cannot import"),
    ],
)
def test_a_name_of_nothing_useful_is_one_line(module, name, message):
    with pytest.raises(ConfigError, match=message):
        DataSpec(source="digits", edits={f"{module()}:{name}": {}})
    with pytest.raises(ConfigError, match="cannot import 'no_such_module_of_mine:x'"):
        DataSpec(source="digits", edits={"no_such_module_of_mine:x": {}})


def test_a_function_has_no_settings_and_an_edit_has_its_own(module):
    name = module()
    with pytest.raises(ConfigError, match="unknown setting 'share'"):
        edit_configs({f"{name}:third": {"share": 0.1}})
    edits = {f"{name}:PATCH": {"share": 0.1, "target": 2, "size": 2}}
    assert target_of(edits) == 2
    assert get_edit(f"{name}:PATCH").name == f"{name}:PATCH"
    spec = DataSpec(source="digits", train_limit=50, edits=edits)
    _, touched = apply_edits(load(spec), spec)
    assert len(touched[f"{name}:PATCH"]) == 5


def data_node(root, spec):
    graph = Graph(Store(root))
    facts = resolve(spec, default_cache())
    return graph, add_data(graph, spec, facts), facts


def test_its_code_is_part_of_the_datas_id_and_its_touched_ids_are_a_forget_set(module, tmp_path):
    name = module()
    spec = DataSpec(source="digits", train_limit=60, edits={f"{name}:third": {}})
    graph, data, _ = data_node(tmp_path / "runs", spec)
    assert set(graph.node(data).params["edits"][f"{name}:third"]) == {"version", "config", "code"}
    module("# mine\n" + CODE)
    assert data_node(tmp_path / "runs", spec)[1] == data
    module(CODE.replace("// 2", "// 3"))
    assert data_node(tmp_path / "runs", spec)[1] != data
    module()
    run(graph, Engine(), Place(device="cpu"))
    train = read_facts(graph.store.path(data)).train
    touched = train.touched[f"{name}:third"]
    assert set(touched) >= set(train.ids[::3])
    scenario = parse(f"edited:{name}:third")
    assert {train.ids[row] for row in scenario.select(train)[0]} == set(touched)


def test_data_are_not_read_with_other_code_than_they_were_made_with(module, tmp_path):
    name = module()
    spec = DataSpec(source="digits", train_limit=60, test_limit=30, edits={f"{name}:third": {}})
    graph, data, _ = data_node(tmp_path / "runs", spec)
    module(CODE.replace("// 2", "// 3"))
    with pytest.raises(DataError, match="has changed since these data were planned or made"):
        run(graph, Engine(), Place(device="cpu"))
    module()
    run(graph, Engine(), Place(device="cpu"))
    module(CODE.replace("// 2", "// 3"))
    training = Training(epochs=0, rewind_epoch=0)
    network = NetworkSettings(name="resnet8", width=0.25)
    add_train(graph, data, Origin(network=network, training=training))
    with pytest.raises(DataError, match=f"the code of the edit '{name}:third' has changed since"):
        run(graph, Engine(), Place(device="cpu"))
    module()
    edited = Runtime(Place(device="cpu")).dataset(graph.store.path(data)).train
    assert edited.labels.tolist() == list(read_facts(graph.store.path(data)).train.labels)
