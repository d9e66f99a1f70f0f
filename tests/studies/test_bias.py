"""Biased data in a grid: marks go in, every group is measured, and the biased are forgotten."""

import sys

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tests.studies.small import HERE, ids, made, planned

from expunge.cli import main
from expunge.data.edits.correlate import CorrelateConfig, with_mark
from expunge.data.sources import load
from expunge.engines import Engine, run
from expunge.errors import ConfigError, DataError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import load_forget
from expunge.graph.kinds.predict import add_predict, load_groups, load_predictions
from expunge.graph.model_files import load_model
from expunge.graph.runtime import read_facts
from expunge.report import render_html
from expunge.studies.folder import collect_grid
from expunge.studies.grid import collect_cells
from expunge.studies.made import Makers
from expunge.studies.pictures import pictures_of, png
from expunge.studies.recipe import parse_experiment
from expunge.studies.verdict import collect_verdict, plan_verdict
from expunge.training.predict import predict

RECIPE = """
title = "Biased"
scenarios = ["edited:correlate"]
metrics = ["ta", "worst_group_accuracy", "conflicting_accuracy", "group_accuracy"]
[data]
source = "digits"
train_limit = 300
test_limit = 100
[data.edits.correlate]
share = 0.5
strength = 1.0
size = 2
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 6
batch_size = 32
lr = 0.1
schedule = "one_cycle"
warmup_epochs = 2
rewind_epoch = 1
[methods.retrain]
"""


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    experiment = parse_experiment(RECIPE, "biased")
    graph, cells = made(tmp_path_factory.mktemp("biased") / "runs", experiment)
    rows = {row["method"]: row for row in collect_cells(graph.store, cells, Makers())}
    return experiment, graph, cells, rows


def test_predictions_are_those_of_every_mark_on_every_test_image(grid):
    experiment, graph, cells, _ = grid
    folder = graph.store.path(add_predict(graph, cells[0].model_id, "groups"))
    found = load_predictions(folder)
    test = load(experiment.data).test
    model, _, _ = load_model(graph.store.path(cells[0].model_id))
    fabric = Fabric(accelerator="cpu", devices=1)
    for mark in range(10):
        shown = with_mark(test, CorrelateConfig(size=2), mark)
        at = found["groups"] == mark
        assert np.allclose(found["logits"][at], predict(model, shown, fabric).numpy(), atol=1e-5)
        assert (found["labels"][at] == test.labels.numpy()).all()
        assert found["rows"][at].tolist() == list(range(100))
    assert load_groups(folder) == {"names": [f"patch of {k}" for k in range(10)], "marks": True}


def test_the_cells_hold_the_accuracy_of_every_group(grid):
    _, graph, cells, rows = grid
    for cell, row in zip(cells, rows.values(), strict=True):
        found = load_predictions(graph.store.path(add_predict(graph, cell.model_id, "groups")))
        right = found["logits"].argmax(1) == found["labels"]
        by_hand = {
            f"patch of {mark}": {
                str(label): 100
                * right[(found["groups"] == mark) & (found["labels"] == label)].mean()
                for label in range(10)
            }
            for mark in range(10)
        }
        for mark, by_class in row["group_accuracy"].items():
            assert by_class == pytest.approx(by_hand[mark])
        lowest = min(value for each in by_hand.values() for value in each.values())
        assert row["metrics"]["worst_group_accuracy"] == pytest.approx(lowest)
        conflicting = right[found["groups"] != found["labels"]]
        assert row["metrics"]["conflicting_accuracy"] == pytest.approx(100 * conflicting.mean())


def test_the_original_follows_the_mark_and_retrain_does_not(grid):
    def aligned_minus_conflicting(row):
        found = row["group_accuracy"]
        aligned = np.mean([found[f"patch of {digit}"][str(digit)] for digit in range(10)])
        return aligned - row["metrics"]["conflicting_accuracy"]

    rows = grid[3]
    assert aligned_minus_conflicting(rows["original"]) > 15
    assert abs(aligned_minus_conflicting(rows["retrain"])) < 10


def test_the_biased_samples_are_what_is_forgotten(grid):
    _, graph, cells, _ = grid
    node = graph.node(cells[1].model_id)
    chosen = load_forget(graph.store.path(node.parents["forget"]))
    touched = read_facts(graph.store.path(node.parents["data"])).train.touched["correlate"]
    assert tuple(chosen["ids"]) == tuple(touched)
    assert len(touched) == 150


@pytest.fixture(scope="module")
def group_file(grid, tmp_path_factory):
    experiment = grid[0]
    test = load(experiment.data).test
    path = tmp_path_factory.mktemp("groups") / "groups.csv"
    rows = [f"{name},{'even' if row % 2 == 0 else 'odd'}" for row, name in enumerate(test.ids[:80])]
    path.write_text("id,group\n" + "\n".join(rows) + "\n")
    return path


def test_a_users_groups_are_measured_of_a_model_that_is_there(grid, group_file):
    experiment, graph, cells, _ = grid
    again, _ = planned(graph.store.root, experiment)
    run_id = cells[1].model_id
    verdict = plan_verdict(again, run_id, None, None, groups=str(group_file))
    assert "groups: 80 of 100 test samples in even, odd; 20 without a group are left out" in (
        again.notes
    )
    run(again, Engine(), HERE)
    found = collect_verdict(graph.store, verdict)
    tests = load_predictions(graph.store.path(add_predict(again, run_id, "test")))
    right = (tests["logits"].argmax(1) == tests["labels"])[:80]
    labels, odd = tests["labels"][:80], torch.arange(80).numpy() % 2
    for at, name in enumerate(("even", "odd")):
        for label in range(10):
            these = right[(labels == label) & (odd == at)]
            expected = 100 * these.mean() if len(these) else None
            assert found["group_accuracy"][name][str(label)] == pytest.approx(expected)
    expected = abs(100 * right[odd == 0].mean() - 100 * right[odd == 1].mean())
    assert found["metrics"]["accuracy_difference"] == pytest.approx(expected)
    assert "not marks of classes" in found["reasons"]["conflicting_accuracy"]


def test_marked_data_are_measured_by_group_without_asking(grid):
    _, graph, cells, _ = grid
    verdict = plan_verdict(graph, cells[1].model_id, None, None)
    assert {"worst_group_accuracy", "group_accuracy"} <= set(verdict.measures)
    assert verdict.measures["group_accuracy"] == cells[1].measures["group_accuracy"]


def test_groups_change_no_id_but_their_own(grid, group_file, tmp_path):
    """What is made already is not made again because groups are asked for, or change."""
    experiment = grid[0]
    plain = parse_experiment(RECIPE.replace('"ta", "worst_group_accuracy", ', '"ta", '), "x")
    with_file = parse_experiment(
        RECIPE.replace('source = "digits"', f'source = "digits"\ngroups = "{group_file}"'), "x"
    )
    one, other = (set(ids(planned(tmp_path, each)[0])) for each in (experiment, with_file))
    kinds = {name.partition("-")[0] for name in one - other}
    assert kinds == {"predict", "measure", "pictures"}
    assert set(ids(planned(tmp_path, plain)[0])) < one
    changed = group_file.parent / "other.csv"
    changed.write_text(group_file.read_text().replace("even", "straight"))
    third = parse_experiment(
        RECIPE.replace('source = "digits"', f'source = "digits"\ngroups = "{changed}"'), "x"
    )
    assert set(ids(planned(tmp_path, third)[0])) & (other - one) == set()


def test_a_file_that_changes_after_planning_is_refused(grid, group_file, tmp_path):
    experiment, graph, cells, _ = grid
    own = tmp_path / "groups.csv"
    own.write_text(group_file.read_text().replace("odd", "strange"))
    again, _ = planned(graph.store.root, experiment)
    add_predict(again, cells[0].model_id, "groups", groups=str(own))
    own.write_text(group_file.read_text())
    with pytest.raises(DataError, match="have changed since this was planned"):
        run(again, Engine(), HERE)


def test_groups_that_are_not_there_are_refused_before_the_work(tmp_path):
    bare = RECIPE.partition("[data.edits.correlate]")[0] + RECIPE[RECIPE.index("[network]") :]
    bare = bare.replace("edited:correlate", "class:3")
    with pytest.raises(ConfigError, match="digits has no groups: give a file"):
        planned(tmp_path, parse_experiment(bare, "x"))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("id,group\nnobody,a\n")
    given = bare.replace('source = "digits"', f'source = "digits"\ngroups = "{wrong}"')
    with pytest.raises(DataError, match="1 of 1 ids are not those of test samples: nobody"):
        planned(tmp_path, parse_experiment(given, "x"))


def test_pictures_have_another_classes_mark_and_each_models_answers(grid):
    experiment, graph, cells, _ = grid
    (shown,) = pictures_of(graph.store, cells)
    assert shown["with"] == "another class’s mark"
    test = load(experiment.data).test
    rows = [test.labels.tolist().index(label) for label in range(6)]
    for label, (row, sample) in enumerate(zip(rows, shown["samples"], strict=True)):
        marked = with_mark(test, CorrelateConfig(size=2), (label + 5) % 10).inputs.tensor[row]
        assert sample == {
            "label": str(label),
            "clean": png(test.inputs.tensor[row].numpy()),
            "triggered": png(marked.numpy()),
        }
    assert [said["method"] for said in shown["says"]] == ["original", "retrain"]
    for cell, said in zip(cells, shown["says"], strict=True):
        found = load_predictions(graph.store.path(add_predict(graph, cell.model_id, "groups")))
        called = found["logits"].argmax(1)
        expected = [
            str(called[(found["rows"] == row) & (found["groups"] == (label + 5) % 10)].item())
            for label, row in enumerate(rows)
        ]
        assert said["triggered"] == expected
    results = collect_grid(graph.store, experiment, cells, "expunge bench biased.toml")
    assert results["pictures"] == [shown]
    page = render_html(results)
    assert "Test images without and with another class’s mark" in page
    assert "accuracy by group, dense" in page


def test_the_command_shows_every_group(grid, group_file, monkeypatch, capsys):
    _, graph, cells, _ = grid
    words = f"evaluate {cells[1].model_id} --groups {group_file} --store {graph.store.root}"
    monkeypatch.setattr(sys, "argv", ["expunge", *words.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    assert "80 of 100 test samples in even, odd; 20 without a group are left out" in err
    lines = out[out.index("Test accuracy by group, %") :].splitlines()
    assert lines[2].split() == ["class", "even", "odd"]
    found = {line.split()[0]: line.split()[1:] for line in lines if len(line.split()) == 3}
    assert set(found) >= {str(digit) for digit in range(10)}
    verdict = plan_verdict(
        Graph(graph.store), cells[1].model_id, None, None, groups=str(group_file)
    )
    shown = collect_verdict(graph.store, verdict)["group_accuracy"]
    for digit in map(str, range(10)):
        values = [shown[group][digit] for group in ("even", "odd")]
        assert found[digit] == ["—" if value is None else f"{value:.1f}" for value in values]
