"""Suspects by the out-of-fold loss: every sample is judged by a model that never saw it."""

import sys

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tests.studies.small import HERE, made, planned, tiny

from expunge.cli import main
from expunge.detectors import get_detector
from expunge.detectors.trust import Trust
from expunge.engines import Engine, run
from expunge.errors import ConfigError, DataError
from expunge.graph.graph import Graph
from expunge.graph.kinds.folds import add_folds, out_of_fold
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.suspect import add_suspect, load_scores, load_suspects
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.lineage import forgotten_by
from expunge.graph.model_files import load_model
from expunge.graph.runtime import Runtime, read_facts
from expunge.methods import get_method
from expunge.runs import Store
from expunge.scenarios.by_fold import folds_of
from expunge.training.predict import predict

RECIPE = """
title = "Mislabelled"
scenarios = ["edited:relabel"]
metrics = ["ua", "ta"]
[data]
source = "digits"
train_limit = 300
test_limit = 100
[data.edits.relabel]
share = 0.1
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 8
batch_size = 32
lr = 0.1
schedule = "one_cycle"
warmup_epochs = 2
rewind_epoch = 1
[methods.retrain]
"""
FOLDS = 3
CONFIG = get_detector("out_of_fold").config(folds=FOLDS)


@pytest.fixture(scope="module")
def suspects(tmp_path_factory):
    store = tmp_path_factory.mktemp("mislabelled") / "runs"
    graph, cells = made(store, tiny(RECIPE))
    original = cells[0].model_id
    node = add_suspect(graph, original, "out_of_fold", CONFIG, Trust(clean=60))
    run(graph, Engine(), HERE)
    return graph, original, node


def test_every_fold_is_forgotten_by_the_model_that_judges_it(suspects):
    graph, original, node = suspects
    ids = read_facts(graph.store.path(graph.data_of(original))).train.ids
    fold_of = np.array(folds_of(ids, FOLDS))
    for fold in range(1, FOLDS + 1):
        model = graph.node(graph.node(node).parents[f"fold_{fold}"])
        assert model.params["method"] == "retrain"
        expected = [ids[row] for row in np.flatnonzero(fold_of == fold)]
        assert list(forgotten_by(graph.store.path(model.id))) == expected


def test_the_scores_are_the_losses_of_models_that_never_saw_the_samples(suspects):
    graph, original, node = suspects
    data = graph.store.path(graph.data_of(original))
    train = Runtime(HERE).dataset(data).train
    losses = np.zeros(len(train))
    fabric = Fabric(accelerator="cpu", devices=1)
    fold_of = folds_of(train.ids, FOLDS)
    for fold in range(1, FOLDS + 1):
        folder = graph.store.path(graph.node(node).parents[f"fold_{fold}"])
        model, _, _ = load_model(folder)
        each = torch.nn.functional.cross_entropy(
            predict(model, train, fabric).double(), train.labels, reduction="none"
        ).numpy()
        mine = np.array(fold_of) == fold
        losses[mine] = each[mine]
    found = load_scores(graph.store.path(node))
    assert found["rows"].tolist() == list(range(300))
    assert np.allclose(found["scores"], losses, atol=1e-5)


def test_wrong_labels_stand_out_and_the_models_own_loss_does_not_show_them(suspects):
    graph, original, node = suspects
    data = graph.store.path(graph.data_of(original))
    facts = read_facts(data)
    wrong = np.isin(facts.train.ids, facts.train.touched["relabel"])
    scores = load_scores(graph.store.path(node))["scores"]
    above = scores[wrong][:, None] > scores[~wrong]
    assert above.mean() > 0.8
    suspected = load_suspects(graph.store.path(node))["suspected"]
    hits = len(set(suspected) & set(facts.train.touched["relabel"]))
    assert hits > len(suspected) / 3


def test_a_scenario_forgets_the_suspects(suspects):
    graph, original, _ = suspects
    again = Graph(Store(graph.store.root))
    facts = read_facts(graph.store.path(graph.data_of(original)))
    node = add_suspect(again, original, "out_of_fold", CONFIG, Trust(clean=60))
    forget = add_forget(again, original, "suspected:out_of_fold", facts=facts, suspects=node)
    run(again, Engine(), HERE)
    chosen = load_forget(again.store.path(forget))
    assert chosen["ids"] == load_suspects(again.store.path(node))["suspected"]
    assert chosen["ids"]


def test_what_is_forgotten_already_is_in_no_fold(suspects):
    graph, original, _ = suspects
    again = Graph(Store(graph.store.root))
    facts = read_facts(graph.store.path(graph.data_of(original)))
    forget = add_forget(again, original, "class:3", facts=facts)
    ft = get_method("ft").config(epochs=1)
    smaller = add_unlearn(again, original, forget, "ft", ft)
    models = add_folds(again, smaller, 2)
    run(again, Engine(), HERE)
    gone = set(load_forget(again.store.path(forget))["ids"])
    for number, model in enumerate(models.values(), start=1):
        node = again.node(model)
        chosen = set(load_forget(again.store.path(node.parents["forget"]))["ids"])
        assert chosen.isdisjoint(gone)
        ids = [name for name in facts.train.ids if name not in gone]
        assert chosen == {
            name for name, fold in zip(ids, folds_of(ids, 2), strict=True) if fold == number
        }
        assert set(forgotten_by(again.store.path(model))) == gone | chosen


def test_a_model_that_was_trained_on_a_sample_does_not_judge_it(suspects):
    graph, original, node = suspects
    runtime = Runtime(HERE)
    train = runtime.dataset(graph.store.path(graph.data_of(original))).train
    parents = graph.node(node).parents
    turned = {f"fold_{fold}": parents[f"fold_{1 + fold % FOLDS}"] for fold in (1, 2, 3)}
    inputs = {role: graph.store.path(each) for role, each in turned.items()}
    with pytest.raises(DataError, match=r"was trained on .* samples that it is to judge"):
        out_of_fold(train, trained_on=set(train.ids), inputs=inputs, folds=3, runtime=runtime)


def test_other_suspects_need_no_folds(tmp_path):
    graph, cells = planned(tmp_path, tiny(RECIPE))
    node = graph.node(add_suspect(graph, cells[0].model_id, "spectral_signatures"))
    assert set(node.parents) == {"model", "data"}
    folded = graph.node(add_suspect(graph, cells[0].model_id, "out_of_fold"))
    assert set(folded.parents) == {"model", "data", *(f"fold_{fold}" for fold in range(1, 6))}


def test_the_command_forgets_suspects_by_the_out_of_fold_loss(suspects, monkeypatch, capsys):
    graph, original, _ = suspects
    words = f"unlearn {original} --forget suspected:out_of_fold --epochs 1 --store"
    monkeypatch.setattr(sys, "argv", ["expunge", *words.split(), str(graph.store.root)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    err = capsys.readouterr().err
    assert "training samples to forget (out_of_fold, threshold from 50 clean test samples" in err


def test_python_says_where_to_find_such_suspects():
    import expunge

    with pytest.raises(ConfigError, match="expunge unlearn RUN --forget suspected:out_of_fold"):
        expunge.find_suspects(torch.nn.Linear(1, 1), None, None, detector="out_of_fold")
