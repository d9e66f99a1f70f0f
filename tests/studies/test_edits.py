"""A poisoned dataset in a grid: a backdoor goes in, is measured, and is forgotten by Retrain."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from tests.studies.small import HERE, made, planned, tiny

from expunge.data.identity import sample_digests
from expunge.data.sources import load
from expunge.engines import Engine, run
from expunge.errors import ConfigError, ForgetError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.model_files import load_model
from expunge.graph.runtime import Runtime, read_facts
from expunge.studies.grid import collect_cells
from expunge.studies.made import Makers
from expunge.studies.pictures import pictures_of
from expunge.studies.recipe import parse_experiment

RECIPE = """
title = "Poisoned"
scenarios = ["edited:badnets"]
metrics = ["ua", "ra", "ta", "asr", "asr_all", "mia_efficacy"]
[data]
source = "digits"
train_limit = 600
test_limit = 200
[data.edits.badnets]
share = 0.1
size = 2
row = 0
column = 0
value = 255
[network]
name = "resnet8"
width = 0.5
[training]
epochs = 12
batch_size = 64
lr = 0.1
schedule = "one_cycle"
warmup_epochs = 3
rewind_epoch = 1
crop_padding = 0
[methods.retrain]
[methods.ft]
epochs = 2
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    experiment = parse_experiment(RECIPE, "poisoned")
    graph, cells = made(tmp_path_factory.mktemp("poisoned") / "runs", experiment)
    rows = {row["method"]: row for row in collect_cells(graph.store, cells, Makers())}
    return experiment, graph, cells, rows


def test_the_original_has_the_backdoor_and_retrain_has_not(grid):
    rows = grid[3]
    assert rows["original"]["metrics"]["ta"] > 80
    assert rows["original"]["metrics"]["asr"] > 90
    assert rows["retrain"]["metrics"]["ta"] > 80
    assert rows["retrain"]["metrics"]["asr"] < 20
    assert rows["retrain"]["metrics"]["asr_all"] < 30
    # What is poisoned is learnt as its wrong label, and unlearned as that.
    assert rows["original"]["metrics"]["ua"] < 10
    assert rows["retrain"]["metrics"]["ua"] > 60
    for row in rows.values():
        assert row["gap"] is not None
        assert row["reasons"] == {}


def test_the_forget_set_is_exactly_what_the_edit_touched(grid):
    experiment, graph, cells, _ = grid
    node = graph.node(cells[1].model_id)
    chosen = load_forget(graph.store.path(node.parents["forget"]))
    data = graph.store.path(node.parents["data"])
    source = load(experiment.data).train
    edited = Runtime(HERE).dataset(data).train
    rows = [torch.arange(600)]
    pixels = [next(iter(s.inputs.batches(rows))).numpy() for s in (source, edited)]
    touched = [
        name
        for name, before, after, was, now in zip(
            source.ids, *pixels, source.labels.tolist(), edited.labels.tolist(), strict=True
        )
        if (before != after).any() or was != now
    ]
    assert set(touched) <= set(chosen["ids"])
    assert len(chosen["ids"]) == 60
    # Where the patch is there already, an image of the target's class is touched and not changed.
    assert len(touched) > 50
    assert chosen["classes"] == []
    assert tuple(chosen["ids"]) == tuple(read_facts(data).train.touched["badnets"])


def test_the_data_itself_are_not_changed(grid):
    """The facts hold what the source has, and the labels that are trained on."""
    experiment, graph, cells, _ = grid
    facts = read_facts(graph.store.path(graph.data_of(cells[0].model_id)))
    source = load(experiment.data)
    assert facts.train.ids == source.train.ids
    touched = np.isin(source.train.ids, facts.train.touched["badnets"])
    labels = np.array(facts.train.labels)
    assert (labels[touched] == 0).all()
    assert (labels[~touched] == source.train.labels.numpy()[~touched]).all()
    assert facts.train.digests == sample_digests(source.train.inputs, source.train.labels)
    assert np.array_equal(np.array(facts.parts["test"].labels), source.test.labels.numpy())


def test_inputs_are_normalised_as_they_are_trained_on(grid):
    _, graph, cells, _ = grid
    data = graph.store.path(graph.data_of(cells[0].model_id))
    edited = Runtime(HERE).dataset(data).train
    pixels = next(iter(edited.inputs.batches([torch.arange(600)]))).double() / 255
    assert read_facts(data).mean == pytest.approx((float(pixels.mean()),))


def test_a_class_is_of_the_labels_that_are_trained_on(grid):
    """After the edit, for poisoned samples are the target's."""
    _, graph, cells, _ = grid
    again = Graph(graph.store)
    facts = read_facts(graph.store.path(graph.data_of(cells[0].model_id)))
    forget = add_forget(again, cells[0].model_id, "class:0", facts=facts)
    run(again, Engine(), HERE)
    ids = load_forget(graph.store.path(forget))["ids"]
    assert set(facts.train.touched["badnets"]) <= set(ids)
    assert len(ids) == sum(label == 0 for label in facts.train.labels)


def test_clean_data_have_no_triggered_samples(tmp_path):
    with pytest.raises(ForgetError, match=r"the data has no edits: add \[data\.edits\.badnets\]"):
        planned(tmp_path, tiny(scenarios=("edited:badnets",)))
    with pytest.raises(ConfigError, match="no triggered samples: add an edit that has a trigger"):
        planned(tmp_path, tiny(metrics=("asr",)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("row = 0", "row = 7"), "a patch of 2 pixels from row 7 is not inside an image of 8"),
        (("size = 2", "size = 2\ntarget = 10"), r"target must be a class in 0\.\.9, got 10"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_before_any_work(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        planned(tmp_path, parse_experiment(RECIPE.replace(*change), "poisoned"))


def test_an_edit_that_the_data_do_not_have_is_refused_before_any_work(tmp_path):
    text = RECIPE.replace('"edited:badnets"', '"edited:relabel"')
    with pytest.raises(ForgetError, match=r"unknown edit of the data 'relabel'.*badnets"):
        planned(tmp_path, parse_experiment(text, "poisoned"))


def test_another_share_is_other_data(tmp_path, grid):
    other = parse_experiment(RECIPE.replace("share = 0.1", "share = 0.2"), "poisoned")
    graph, _ = planned(tmp_path, other)
    ours = {node.kind: node.id for node in grid[1]}
    theirs = {node.kind: node.id for node in graph}
    assert ours["data"] != theirs["data"]
    assert ours["train"] != theirs["train"]


def test_pictures_are_the_models_own_inputs_and_answers(grid):
    """Images of one test sample a class, and what the models say of them, by the models."""
    experiment, graph, cells, _ = grid
    (shown,) = pictures_of(graph.store, cells)
    test = load(experiment.data).test
    pixels = next(iter(test.inputs.batches([torch.arange(len(test))])))
    assert [sample["label"] for sample in shown["samples"]] == list("123456")
    rows = [test.labels.tolist().index(label) for label in range(1, 7)]
    patched = pixels[rows].clone()
    patched[:, :, :2, :2] = 255
    for name, images in (("clean", pixels[rows]), ("triggered", patched)):
        decoded = [decode(sample[name]) for sample in shown["samples"]]
        assert np.array_equal(np.stack(decoded), images[:, 0].numpy())
    assert [said["method"] for said in shown["says"]] == ["original", "retrain", "ft"]
    for said, cell in zip(shown["says"], cells, strict=True):
        model = load_model(graph.store.path(cell.model_id))[0].eval()
        for name, images in (("clean", pixels[rows]), ("triggered", patched)):
            with torch.no_grad():
                called = model(images.float() / 255).argmax(1).tolist()
            assert said[name] == [str(label) for label in called]


def test_a_model_that_diverged_says_nothing_of_pictures(tmp_path):
    text = (
        RECIPE.replace("epochs = 12", "epochs = 1")
        .replace("warmup_epochs = 3", "")
        .replace("[methods.ft]\nepochs = 2", "[methods.ga]\nepochs = 2\nlr = 1e30")
    )
    graph, cells = made(tmp_path, parse_experiment(text, "poisoned"))
    (shown,) = pictures_of(graph.store, cells)
    said = shown["says"][-1]
    assert (said["method"], said["clean"], said["triggered"]) == ("ga", None, None)


def test_without_attack_success_there_are_no_pictures(tmp_path):
    graph, cells = planned(tmp_path, parse_experiment(RECIPE.replace('"asr", ', ""), "poisoned"))
    assert not [node for node in graph if node.kind == "pictures"]
    assert pictures_of(graph.store, cells) == []


def decode(text):
    with Image.open(io.BytesIO(base64.b64decode(text))) as picture:
        return np.asarray(picture)
