"""Correcting instead of deleting: what is unlearned, what is learnt, what stands on which data."""

import sys

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tests.studies.small import HERE, ids, made, planned, tiny

from expunge.cli import main
from expunge.data.sources import load
from expunge.engines import Engine, run
from expunge.errors import ConfigError, DataError, ForgetError
from expunge.graph.graph import Graph
from expunge.graph.kinds.correct import add_correct, correction_split
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.lineage import forgotten_by
from expunge.graph.model_files import load_model
from expunge.graph.runtime import Runtime, read_facts
from expunge.methods import get_method
from expunge.runs import Store
from expunge.studies.grid import collect_cells
from expunge.studies.made import Makers
from expunge.studies.verdict import collect_verdict, plan_verdict
from expunge.training.predict import predict

RECIPE = """
title = "Corrected"
scenarios = ["corrected:relabel", "edited:relabel"]
metrics = ["ua", "ra", "ta", "old_label"]
[data]
source = "digits"
train_limit = 200
test_limit = 100
[data.edits.relabel]
share = 0.2
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 30
batch_size = 32
lr = 0.1
schedule = "one_cycle"
warmup_epochs = 2
rewind_epoch = 1
[methods.retrain]
[methods.ft]
epochs = 6
lr = 0.1
batch_size = 32
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    experiment = tiny(RECIPE)
    graph, cells = made(tmp_path_factory.mktemp("corrected") / "runs", experiment)
    rows = collect_cells(graph.store, cells, Makers())
    return experiment, graph, cells, rows


def row_of(rows, scenario, method):
    return next(row for row in rows if (row["scenario"], row["method"]) == (scenario, method))


def test_the_original_has_the_old_labels_and_correcting_gives_the_right_ones(grid):
    rows = grid[3]
    original = row_of(rows, "corrected:relabel", "original")["metrics"]
    retrain = row_of(rows, "corrected:relabel", "retrain")["metrics"]
    ft = row_of(rows, "corrected:relabel", "ft")["metrics"]
    # UA is the error on the corrected samples by their right labels.
    assert original["old_label"] > 80
    assert original["ua"] > 80
    assert retrain["old_label"] < 10
    assert retrain["ua"] < 10
    assert ft["old_label"] < 20
    assert ft["ua"] < 20
    assert min(retrain["ta"], ft["ta"]) > original["ta"]


def test_retrain_is_training_on_corrected_data(grid):
    """By hand: the same training from the same initialisation, on data that never were wrong."""
    _, graph, cells, _ = grid
    cell = next(c for c in cells if (c.scenario, c.method) == ("corrected:relabel", "retrain"))
    node = graph.node(cell.model_id)
    source = load(grid[0].data)
    data = Runtime(HERE).dataset(graph.store.path(node.parents["data"]))
    assert torch.equal(data.train.labels, source.train.labels)
    assert torch.equal(data.train.inputs.tensor, source.train.inputs.tensor)
    before = Runtime(HERE).dataset(graph.store.path(node.parents["before"])).train
    touched = set(read_facts(graph.store.path(node.parents["before"])).train.touched["relabel"])
    wrong = torch.tensor([name in touched for name in before.ids])
    assert torch.equal(before.labels != data.train.labels, wrong)
    split = correction_split(before, data.train, touched, (), "corrected:relabel")
    inputs = next(iter(split.train.inputs.batches([split.retain])))
    assert torch.equal(inputs, data.train.inputs.tensor)
    assert torch.equal(split.train.labels[split.retain], data.train.labels)
    inputs = next(iter(split.train.inputs.batches([split.forget])))
    assert torch.equal(inputs, before.inputs.tensor[wrong])
    assert torch.equal(split.train.labels[split.forget], before.labels[wrong])


def test_all_models_are_measured_by_the_right_labels(grid):
    experiment, graph, cells, rows = grid
    train = load(experiment.data).train
    fabric = Fabric(accelerator="cpu", devices=1)
    for cell, row in zip(cells, rows, strict=True):
        node = graph.node(cell.measures["ua"])
        chosen = load_forget(graph.store.path(node.parents["forget"]))["ids"]
        wrong = torch.tensor([name in set(chosen) for name in train.ids])
        model, _, _ = load_model(graph.store.path(cell.model_id))
        right = predict(model, train, fabric).argmax(1) == train.labels
        if cell.scenario == "corrected:relabel":
            assert row["metrics"]["ua"] == pytest.approx(
                100 * float((~right[wrong]).float().mean())
            )
            assert row["metrics"]["ra"] == pytest.approx(100 * float(right[~wrong].float().mean()))
        else:
            assert row["reasons"]["old_label"] == "no label was corrected"


def test_nothing_is_forgotten_and_descendants_learn_the_right_labels(grid):
    _, graph, cells, _ = grid
    cell = next(c for c in cells if (c.scenario, c.method) == ("corrected:relabel", "ft"))
    assert forgotten_by(graph.store.path(cell.model_id)) == ()
    again = Graph(Store(graph.store.root))
    facts = read_facts(graph.store.path(again.data_of(cell.model_id)))
    forget = add_forget(again, cell.model_id, "class:3", facts=facts)
    child = add_unlearn(again, cell.model_id, forget, "ft", get_method("ft").config(epochs=1))
    run(again, Engine(), HERE)
    node = again.node(child)
    assert node.parents["data"] == again.node(cell.model_id).parents["data"]
    chosen = load_forget(again.store.path(forget))["ids"]
    right = {n for n, label in zip(facts.train.ids, facts.train.labels, strict=True) if label == 3}
    assert set(chosen) == right


def test_deleting_keeps_the_ids_that_it_had(grid, tmp_path):
    """Corrections beside it change no id of it."""
    alone = tiny(RECIPE.replace('"corrected:relabel", ', ""))
    assert set(ids(planned(tmp_path, alone)[0])) < set(ids(planned(tmp_path, grid[0])[0]))


@pytest.fixture
def labels(grid, tmp_path):
    """A table of all right labels."""
    train = load(grid[0].data).train
    rows = [f"{n},{label}" for n, label in zip(train.ids, train.labels.tolist(), strict=True)]
    path = tmp_path / "labels.csv"
    path.write_text("id,label\n" + "\n".join(rows) + "\n")
    return path


def test_a_file_of_right_labels_corrects_what_it_changes(grid, labels, monkeypatch, capsys):
    _, graph, cells, _ = grid
    original = cells[0].model_id
    words = f"correct {original} --labels {labels} --json --store {graph.store.root}"
    words += " --epochs 15 --lr 0.1 --lr-schedule cosine --batch-size 32"
    monkeypatch.setattr(sys, "argv", ["expunge", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    assert "40 of 200 training samples to correct" in err
    store = Store(graph.store.root)
    made_id = next(word for word in out.replace('"', " ").split() if word.startswith("correct-"))
    node = store.node(made_id)
    facts = read_facts(store.path(node.parents["data"]))
    touched = read_facts(store.path(node.parents["before"])).train.touched["relabel"]
    assert facts.train.labels == tuple(load(grid[0].data).train.labels.tolist())
    assert set(load_forget(store.path(node.parents["forget"]))["ids"]) == set(touched)
    # Once it is made, the file is not needed any more.
    labels.unlink()
    verdict_graph = Graph(store)
    verdict = plan_verdict(verdict_graph, made_id, None, None)
    run(verdict_graph, Engine(), HERE)
    found = collect_verdict(store, verdict)
    assert found["metrics"]["old_label"] < 60
    assert found["metrics"]["ua"] < 60


def test_corrections_add_up(grid, labels, tmp_path):
    _, graph, cells, _ = grid
    original = cells[0].model_id
    again = Graph(Store(graph.store.root))
    facts = read_facts(graph.store.path(again.data_of(original)))
    touched = facts.train.touched["relabel"]
    lines = labels.read_text().splitlines()
    parts = []
    for name, some in (("one", touched[:20]), ("other", touched[20:])):
        part = tmp_path / f"{name}.csv"
        kept = [line for line in lines[1:] if line.split(",")[0] in some]
        part.write_text("\n".join([lines[0], *kept]) + "\n")
        parts.append(part)
    config = get_method("ft").config(epochs=1)
    model = original
    for part in parts:
        forget = add_forget(again, model, f"corrected:{part}", facts=facts)
        model = add_correct(again, model, forget, "ft", config)
        run(again, Engine(), HERE)
        facts = read_facts(again.store.path(again.data_of(model)))
    assert facts.train.labels == tuple(load(grid[0].data).train.labels.tolist())


def test_pixels_are_corrected_too(tmp_path):
    text = RECIPE.replace("relabel", "correlate").replace("share = 0.2", "share = 0.2\nsize = 1")
    text = text.replace('"old_label"', '"conflicting_accuracy"').replace(
        "epochs = 30", "epochs = 3"
    )
    experiment = tiny(
        text.replace('"corrected:correlate", "edited:correlate"', '"corrected:correlate"')
    )
    graph, cells = made(tmp_path, experiment)
    node = graph.node(cells[1].model_id)
    assert node.kind == "correct"
    data = Runtime(HERE).dataset(graph.store.path(node.parents["data"])).train
    assert torch.equal(data.inputs.tensor, load(experiment.data).train.inputs.tensor)
    for row in collect_cells(graph.store, cells, Makers()):
        assert row["metrics"]["conflicting_accuracy"] is not None


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("id,label\nnobody,3\n", DataError, "1 of 1 ids are not those of training samples: nobody"),
        ("id,label\n{id},eleven\n", DataError, "unknown label 'eleven': expected an index in 0..9"),
        (
            "id,label\n{id},{had}\n",
            DataError,
            "changes no label: all 1 samples have theirs already",
        ),
        ("id,class\n{id},3\n", DataError, "expected the columns id and label, got id, class"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_the_work(grid, tmp_path, text, error, match):
    _, graph, cells, _ = grid
    facts = read_facts(graph.store.path(graph.data_of(cells[0].model_id)))
    path = tmp_path / "labels.csv"
    path.write_text(text.format(id=facts.train.ids[0], had=facts.train.labels[0]))
    with pytest.raises(error, match=match) as caught:
        add_forget(Graph(graph.store), cells[0].model_id, f"corrected:{path}", facts=facts)
    assert "\n" not in str(caught.value)


def test_an_edit_that_the_data_lack_is_refused(grid):
    _, graph, cells, _ = grid
    facts = read_facts(graph.store.path(graph.data_of(cells[0].model_id)))
    with pytest.raises(ForgetError, match="unknown edit of the data 'badnets'"):
        add_forget(Graph(graph.store), cells[0].model_id, "corrected:badnets", facts=facts)


def test_other_samples_are_no_correction(samples):
    from expunge.data.splits import subset

    fewer = subset(samples, torch.arange(50))
    with pytest.raises(DataError, match="leaves other samples"):
        correction_split(samples, fewer, samples.ids[:3], (), "corrected:duplicate")


def test_what_was_forgotten_is_neither_unlearned_nor_learnt(samples):
    split = correction_split(samples, samples, samples.ids[:5], samples.ids[10:12], "corrected:x")
    assert split.forget.tolist() == list(range(5))
    retained = np.setdiff1d(np.arange(5, 65), [15, 16]).tolist()
    assert split.retain.tolist() == retained


def test_a_correction_is_never_taken_for_a_deletion(grid, labels, samples):
    from expunge.graph.kinds.theorem import add_theorem
    from expunge.scenarios import by_correction, make_split

    _, graph, cells, _ = grid
    again = Graph(graph.store)
    original = cells[0].model_id
    facts = read_facts(graph.store.path(again.data_of(original)))
    forget = add_forget(again, original, f"corrected:{labels}", facts=facts)
    config = get_method("ft").config(epochs=1)
    with pytest.raises(ForgetError, match="corrects samples, and this deletes them"):
        add_unlearn(again, original, forget, "ft", config)
    with pytest.raises(ForgetError, match="corrects samples, and this deletes them"):
        add_theorem(again, original, forget, {"ft": config})
    with pytest.raises(ForgetError, match="a split deletes them: use expunge correct"):
        make_split(samples, by_correction("relabel"))


def test_a_method_of_another_task_is_refused(grid, monkeypatch):
    from dataclasses import replace

    from expunge.graph.kinds import unlearn

    _, graph, cells, _ = grid
    again = Graph(graph.store)
    original = cells[0].model_id
    facts = read_facts(graph.store.path(again.data_of(original)))
    forget = add_forget(again, original, "corrected:relabel", facts=facts)
    other = replace(get_method("ft"), tasks=frozenset({"generate"}))
    monkeypatch.setattr(unlearn, "get_method", lambda name: other)
    with pytest.raises(ConfigError, match="method ft"):
        add_correct(again, original, forget, "ft", other.config())
