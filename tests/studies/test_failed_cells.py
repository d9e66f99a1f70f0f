"""Cells whose model diverges or collapses hold no numbers and a reason; the rest goes on."""

import json
import re
from dataclasses import replace

import pytest
from tests.studies.small import made, tiny
from typer.testing import CliRunner

from expunge.cli.app import app
from expunge.errors import DivergedError, ModelError
from expunge.graph.kinds import unlearn
from expunge.graph.outcome import divergence
from expunge.methods import get_method
from expunge.runs import Store
from expunge.studies.grid import collect_cells, gap_to
from expunge.studies.made import Makers

RECIPE = """
title = "cells that fail"
scenarios = ["class:3"]
metrics = ["ua", "ra", "ta", "sparsity_at"]
[data]
source = "digits"
train_limit = 60
test_limit = 40
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 0
[pruners.omp]
sparsity = 0.9999
[methods.retrain]
[methods.ft]
epochs = 1
lr = 1e30
[methods.ga]
epochs = 1
"""


def expunge(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("failing")


@pytest.fixture(scope="module")
def first(folder):
    (folder / "recipe.toml").write_text(RECIPE)
    return bench(folder)


def bench(folder):
    return expunge("bench", folder / "recipe.toml", "--out", folder / "out", "--device", "cpu")


@pytest.fixture(scope="module")
def cells(folder, first):
    cells = json.loads((folder / "out/results.json").read_text())["cells"]
    return {(cell["sparsity"], cell["method"]): cell for cell in cells}


def test_the_grid_ends_and_says_how_many_cells_failed(first):
    assert first.exit_code == 1, first.output
    assert "5 of 8 cells hold no numbers" in first.output
    assert "failed: ft in class:3, dense, seed 0: diverged: unlearn-" in first.output
    assert "failed: original in class:3, 100% omp, seed 0: no sparse model: prune-" in first.output


def test_failed_cells_have_a_reason_and_the_others_have_numbers(cells):
    for (sparsity, method), cell in cells.items():
        failed = method == "ft" or sparsity == 0.9999
        assert (cell["failed"] is not None) == failed
        assert all((value is None) == failed for value in cell["metrics"].values())
        if failed:
            assert set(cell["reasons"].values()) == {cell["failed"]}
            assert cell["gap"] is None
    assert "(ft: " in cells[0.0, "ft"]["failed"]
    assert "lr=1e+30" in cells[0.0, "ft"]["failed"]
    collapse = {cell["failed"] for (sparsity, _), cell in cells.items() if sparsity == 0.9999}
    assert len(collapse) == 1
    assert "layer collapse" in collapse.pop()
    assert cells[0.0, "ga"]["gap"] is not None


def test_the_report_shows_them(folder, first):
    page = (folder / "out/report.html").read_text()
    assert "lr=1e+30" in page
    assert "layer collapse" in page


def test_running_again_makes_nothing_and_says_the_same(folder, first):
    made = sorted((folder / "out/runs").rglob("*.json"))
    again = bench(folder)
    assert again.exit_code == 1
    assert sorted((folder / "out/runs").rglob("*.json")) == made
    assert "5 of 8 cells hold no numbers" in again.output


def test_their_predictions_hold_the_same_reason(folder, first):
    store = Store(folder / "out/runs")
    reasons = {
        name: divergence(store.path(store.node(name).parents["model"]))
        for name in store.ids()
        if name.startswith("predict-")
    }
    assert None in reasons.values()
    assert len({*reasons.values()}) > 2
    assert {name: divergence(store.path(name)) for name in reasons} == reasons


def test_commands_on_such_models_name_the_reason(folder, cells):
    store = ("--store", folder / "out/runs", "--device", "cpu")
    base = cells[0.0, "original"]["run"]
    found = expunge(
        "unlearn", base, "--forget", "class:3", "--method", "ft", "--epochs", "1", "--lr", "1e30",
        "--out", folder / "never.safetensors", *store,
    )  # fmt: skip
    assert "lr=1e+30" in str(found.exception)
    assert not (folder / "never.safetensors").exists()
    found = expunge("prune", base, "--sparsity", "0.9999", *store)
    assert "layer collapse" in str(found.exception)
    found = expunge("evaluate", cells[0.0, "ft"]["run"], "--json", *store)
    assert found.exit_code == 0, found.exception
    assert set(json.loads(found.stdout)["reasons"].values()) == {cells[0.0, "ft"]["failed"]}
    retrained = cells[0.0, "retrain"]["run"]
    found = expunge("evaluate", cells[0.0, "ft"]["run"], "--reference", retrained, "--json", *store)
    assert found.exit_code == 0, found.exception
    compared = json.loads(found.stdout)
    assert (compared["gap"], compared["samples"]) == (None, {})
    assert "against_reference" not in compared


def test_a_reference_that_diverges_fails_alone(tmp_path, monkeypatch):
    """What the others have without a reference is measured."""

    def diverge(*_):
        raise DivergedError("the loss is not finite")

    def found(name):
        return replace(get_method(name), **({"run": diverge} if name == "retrain" else {}))

    monkeypatch.setattr(unlearn, "get_method", found)
    only = {"scenarios": ("class:3",), "pruners": {}, "metrics": ("ua", "weight_distance")}
    graph, cells = made(tmp_path, tiny(**only))
    rows = {row["method"]: row for row in collect_cells(graph.store, cells, Makers())}
    assert {name for name, row in rows.items() if row["failed"]} == {"retrain"}
    for name in rows.keys() - {"retrain"}:
        assert rows[name]["metrics"]["ua"] is not None
        assert rows[name]["reasons"] == {"weight_distance": rows["retrain"]["failed"]}
        assert rows[name]["gap_reason"].startswith("the reference has no ua to compare: diverged")


def test_a_gap_that_lacks_says_whose_number_is_not_there():
    there, not_there = (
        {"metrics": {"ua": value}, "reasons": {"ua": "diverged: x"}} for value in (1.0, None)
    )
    assert gap_to(not_there, there) == (None, "the reference has no ua to compare: diverged: x")
    assert gap_to(there, not_there) == (None, "there is no ua to compare: diverged: x")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        # One step: the loss before it is finite, and the outputs after it are not.
        ("lr = 1e30\n", "diverged: train-.*lower the learning rate of the training"),
        ("lr = 1e30\nbatch_size = 16\n", r"diverged: train-.*learning rate \(lr=1e\+30\)"),
    ],
)
def test_an_original_that_diverges_stops_the_grid_and_is_named(settings, message, tmp_path):
    recipe = RECIPE.replace("rewind_epoch", f"{settings}rewind_epoch")
    (tmp_path / "recipe.toml").write_text(recipe)
    found = bench(tmp_path)
    assert found.exit_code == 1
    assert re.search(message, str(found.exception))
    assert not (tmp_path / "out/results.json").exists()


REFUSING = """
title = "a network that a method refuses"
scenarios = ["class:3"]
metrics = ["ua", "ra", "ta"]
[data]
source = "digits"
train_limit = 60
test_limit = 40
[network]
name = "tests.studies.mixing:mixing"
[training]
epochs = 1
[methods.retrain]
[methods.ft]
epochs = 1
[methods.iu]
"""


def test_a_network_that_one_method_refuses_is_a_failed_cell(tmp_path):
    (tmp_path / "recipe.toml").write_text(REFUSING)
    found = bench(tmp_path)
    assert found.exit_code == 1, found.exception
    assert "1 of 4 cells hold no numbers" in found.output
    cells = json.loads((tmp_path / "out/results.json").read_text())["cells"]
    by_method = {cell["method"]: cell for cell in cells}
    refused = by_method["iu"]
    assert refused["failed"] == refused["gap_reason"]
    assert re.match(
        r"refused: unlearn-\w+ \(iu: layer 1 \(BatchNorm2d\) mixes the samples", refused["failed"]
    )
    assert by_method["ft"]["gap"] is not None
    store = ("--store", tmp_path / "out/runs")
    listed = expunge("runs", "list", *store, "--json")
    failed = {run["id"]: run["failed"] for run in json.loads(listed.stdout)}
    assert failed[refused["run"]] == refused["failed"]
    assert failed[by_method["ft"]["run"]] is None
    again = expunge(
        "unlearn", by_method["original"]["run"], "--forget", "class:3", "--method", "iu", *store,
        "--device", "cpu",
    )  # fmt: skip
    assert isinstance(again.exception, ModelError)
    assert str(again.exception) == refused["failed"]
