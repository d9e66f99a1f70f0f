"""The commands, as a person at a terminal meets them."""

import json
import re
import signal
import time

import numpy as np
import pytest
from tests.cli.conftest import ok
from tests.deadlines import wait_for

from expunge.cli.app import app
from expunge.cli.interruption import LINE
from expunge.cli.runs import app as runs_app
from expunge.metrics import get_metric
from expunge.runs import read_document

QUICK = ["--epochs", "2", "--batch_size", "64", "--schedule", "one_cycle", "--rewind_epoch", "1"]
TRAIN = ["train", "--data", "digits", "--model", "resnet8", "--width", "0.25", *QUICK]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return str(tmp_path_factory.mktemp("store") / "runs")


@pytest.fixture
def original(command, store):
    return json.loads(ok(command(*TRAIN, "--store", store, "--json")))["run"]


def test_from_data_to_verdict(command, store, original, tmp_path):
    at = ["--store", store]
    sparse = ok(command("prune", original, "--sparsity", "0.5", *at)).strip()
    weights = tmp_path / "forgotten.safetensors"
    epochs = ["--epochs", "1"]
    gone = ok(
        command(
            "unlearn", sparse, "--forget", "class:3", "--method", "ft", *epochs,
            "--out", weights, *at,
        )
    ).strip()  # fmt: skip
    assert weights.stat().st_size > 1000
    words = ["unlearn", sparse, "--forget", "class:3", "--method", "retrain", *epochs, *at]
    reference = ok(command(*words)).strip()
    found = json.loads(ok(command("evaluate", gone, "--reference", reference, "--json", *at)))
    assert set(found["gap"]) == {"ua", "ra", "ta", "mia_efficacy", "avg"}
    assert found["scenario"] == "class:3"
    assert "retrained for 1 epoch, its original was trained for 2" in found["gap_note"]
    assert "the gap may not be at the same sparsity" not in found["gap_note"]
    words[1] = original
    dense = ok(command(*words)).strip()
    assert "the gap may not be at the same sparsity" in ok(
        command("evaluate", gone, "--reference", dense, *at)
    )
    assert found["sparsity_at"]["0"] == pytest.approx(0.5, abs=1e-3)
    assert set(found["attacks"]["entropy_threshold"]) >= {"efficacy", "auc", "forget_auc"}
    shown = ok(command("evaluate", gone, "--reference", reference, *at))
    assert "mean gap" in shown
    assert found["draws"]["mia_efficacy"]["mean"] == found["metrics"]["mia_efficacy"]
    assert f"{found['draws']['mia_efficacy']['n']} │" in shown
    assert "entropy_threshold" not in shown
    assert "entropy_threshold" in ok(command("evaluate", gone, "--attacks", *at))
    assert "No gap" in ok(command("evaluate", original, "--forget", "random:0.1", *at))
    listed = json.loads(ok(command("runs", "list", "--json", *at)))
    labels = {run["id"]: run["label"] for run in listed}
    assert {original, sparse, gone, reference} <= set(labels)
    assert all(labels.values())
    assert labels[gone] == "unlearn class:3 by ft, 50% omp, seed 0"
    # Whole, so that it can be copied.
    table = ok(command("runs", "list", *at))
    assert gone in table
    for word in ("unlearn", "class:3", "ft", "omp"):
        assert word in table
    shown = json.loads(ok(command("runs", "show", gone, "--json", *at)))
    assert shown["params"]["method"] == "ft"
    assert shown["label"] == labels[gone]
    assert shown["made"]["threads"] == shown["params"]["threads"]
    assert "class:3" in ok(command("runs", "show", gone, *at))
    code, _, err = command("runs", "remove", gone, *at)
    assert code == 2
    assert "--dependants" in err
    removed = ok(command("runs", "remove", gone, "--dependants", *at))
    assert f"removed {gone}" in removed
    wrong = ["--out", tmp_path / "forgotten.pt"]
    code, _, err = command("unlearn", sparse, "--forget", "class:3", *wrong, *at)
    assert code == 2
    assert "expected a name that ends in .safetensors" in err
    code, _, err = command("unlearn", sparse, "--forget", "class:3", "--out", weights, *at)
    assert code == 2
    assert "already exists" in err


def test_a_run_that_is_damaged_is_listed_as_such(command, tmp_path):
    from expunge.runs import Node, Store

    store, node = Store(tmp_path / "runs"), Node(kind="train", version=1, params={}, parents={})
    with store.create(node, {"label": "train [b]resnet8"}):
        pass
    assert "[b]resnet8" in ok(command("runs", "list", "--store", store.root))
    (store.path(node) / "artefact.json").write_text("{")
    (found,) = json.loads(ok(command("runs", "list", "--json", "--store", store.root)))
    assert found["label"] == ""
    assert "is damaged" in found["problem"]
    assert "damaged" in ok(command("runs", "list", "--store", store.root))


def test_a_list_of_ids_is_forgotten(command, store, original, tmp_path):
    from expunge.data.sources import load
    from expunge.data.spec import DataSpec

    ids = tmp_path / "delete.csv"
    train = load(DataSpec(source="digits")).train
    ids.write_text("id\n" + "\n".join(train.ids[5:25]) + "\n")
    words = ["unlearn", original, "--forget", f"ids:{ids}", "--method", "ga", "--store", store]
    run = ok(command(*words)).strip()
    ids.unlink()
    found = json.loads(ok(command("evaluate", run, "--json", "--store", store)))
    assert found["gap"] is None
    assert "no retrained model" in found["gap_reason"]
    ids.write_text("id\nnobody\n")
    code, _, err = command(*words)
    assert code == 2
    assert "nobody" in err


def test_own_weights_are_adopted(command, store, original, tmp_path):
    shown = json.loads(ok(command("runs", "show", original, "--json", "--store", store)))
    weights = f"{shown['path']}/model.safetensors"
    code, out, err = command(*TRAIN, "--weights", weights, "--store", store)
    assert code == 0
    run = out.strip()
    assert run != original
    assert "note: the test part is taken from the training data" in err
    assert "no recipe" not in err
    bare = ["train", "--data", "digits", "--model", "resnet8", "--width", "0.25"]
    _, _, err = command(*bare, "--weights", weights, "--store", store)
    assert (
        "note: no training settings were given: Retrain and pruning use the network's defaults"
        in err
    )
    a, b = (
        json.loads(ok(command("evaluate", r, "--forget", "class:1", "--json", "--store", store)))
        for r in (run, original)
    )
    assert a["metrics"] == b["metrics"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--data", "no/such-data", "--model", "resnet8"], "no/such-data"),
        (["train", "--data", "digits", "--model", "resnet9"], "unknown model 'resnet9'"),
        (["train", "--data", "digits", "--model", "resnet8", "--lr", "x"], "lr must be a number"),
        (["train", "--data", "digits", "--model", "resnet8", "--epoch", "1"], "did you mean 'epoc"),
        ([*TRAIN, "--weights", "missing.pt"], "missing.pt"),
        (["prune", "nothing"], "'nothing'"),
        (["methods", "gaa"], "did you mean 'ga'"),
        (["bench", "missing.toml"], "missing.toml"),
        (["report", "missing.json"], "missing.json"),
        (["train", "--data", "digits", "--model", "resnet8", "--device", "tpu"], "device 'tpu'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(command, words, message, tmp_path):
    words = words if words[0] in ("methods", "bench", "report") else [
        *words, "--store", tmp_path / "runs",
    ]  # fmt: skip
    code, out, err = command(*words)
    assert code == 2
    assert out == ""
    assert message in err
    lines = [line for line in err.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--forget", "class:ten"], "ten"),
        (["--forget", "class:99"], "99"),
        (["--forget", "random:1.5"], "1.5"),
        (["--forget", "class:0,1,2,3,4,5,6,7,8,9"], "nothing is left"),
        (["--forget", "class:3", "--method", "erase"], "unknown method 'erase'"),
        (["--forget", "class:3", "--gamma", "1"], "unknown setting 'gamma'"),
    ],
)
def test_impossible_unlearning_is_refused(command, store, original, words, message):
    before = ok(command("runs", "list", "--json", "--store", store))
    code, out, err = command("unlearn", original, *words, "--store", store)
    assert (code, out) == (2, "")
    assert message in err
    assert before == ok(command("runs", "list", "--json", "--store", store))


def test_unlearning_that_diverges_is_told_again_without_being_done_again(command, store, original):
    words = ("unlearn", original, "--forget", "class:3", "--lr", "1e30", "--store", store)
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert "expected a finite number; lower the learning rate (lr=1e+30)" in err
    again = command(*words)
    assert again[:2] == (2, "")
    assert again[2].splitlines()[-1] == err.splitlines()[-1]
    assert "in the store" in again[2]


def test_methods_are_listed_with_citation_and_settings(command):
    listed = json.loads(ok(command("methods", "--json")))
    assert {"retrain", "ft", "ga", "l1_sparse", "omp"} <= {entry["name"] for entry in listed}
    assert all(entry["cite"] and all(s["help"] for s in entry["settings"]) for entry in listed)
    assert "l1_sparse" in ok(command("methods"))
    assert "--gamma" in ok(command("methods", "l1_sparse"))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["runs"],
        *([each.name] for each in app.registered_commands),
        *(["runs", each.name] for each in runs_app.registered_commands),
    ],
    ids=" ".join,
)
def test_every_command_has_help_with_an_example(command, words):
    out = ok(command(*words, "--help"))
    assert "expunge" in out
    assert "Example:" in out or not words


def test_version(command):
    from expunge import __version__

    assert __version__ in ok(command("--version"))


@pytest.fixture
def grid(tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        """
title = "Tiny"
scenarios = ["class:3"]
[data]
source = "digits"
train_limit = 200
test_limit = 100
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 0
[pruners.random]
sparsity = 0.5
[methods.retrain]
[methods.ft]
epochs = 1
"""
    )
    return recipe


def test_a_grid_is_run_once_and_reported(command, grid, tmp_path):
    out = tmp_path / "out"
    first = json.loads(ok(command("bench", grid, "--out", out, "--json")))
    assert {(c["method"], c["pruner"]) for c in first["cells"]} == {
        (method, pruner)
        for method in ("original", "retrain", "ft")
        for pruner in ("none", "random")
    }
    for cell in first["cells"]:
        assert cell["gap"] is not None
        assert cell["gap_reason"] is None
        assert set(cell["metrics"]) >= {"ua", "ra", "ta", "mia_efficacy", "mia_privacy"}
    assert (out / "report.html").exists()
    assert list((out / "figures").glob("*.svg"))
    assert (out / "original" / "model.safetensors").exists()
    code, _, err = command("bench", grid, "--out", out)
    assert code == 0
    assert "found" in err
    assert not re.findall(r"^ *[\d.]+s ", err, re.MULTILINE)
    assert read_document(out / "results.json") == first
    before = (out / "results.json").read_bytes()
    code, _, err = command("bench", grid, "--out", out, "--seeds", "2")
    assert code == 2
    assert "other settings" in err
    assert (out / "results.json").read_bytes() == before
    written = json.loads(ok(command("report", out, "--out", tmp_path / "again", "--json")))
    assert written["cells"] == 6


def test_without_retrain_the_gap_is_null_with_the_reason(command, grid, tmp_path):
    grid.write_text(grid.read_text().replace("[methods.retrain]\n", ""))
    found = json.loads(ok(command("bench", grid, "--out", tmp_path / "out", "--json")))
    assert all(c["gap"] is None and "no retrain" in c["gap_reason"] for c in found["cells"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "titel", "unknown setting 'titel'"),
        ('["class:3"]', "[]", "scenarios is empty"),
        ('["class:3"]', '["clas:3"]', "clas"),
        ("[methods.ft]", "[methods.fft]", "unknown method 'fft'"),
        ("[pruners.random]", "[pruners.rnd]", "unknown pruner 'rnd'"),
        ("sparsity = 0.5", "sparsity = 1.5", "sparsity"),
        ("train_limit", "train_limits", "unknown setting 'train_limits'"),
        ("title", "= broken", "is not TOML"),
    ],
)
def test_a_recipe_with_a_mistake_is_refused(command, grid, tmp_path, old, new, message):
    text = grid.read_text()
    grid.write_text(text.replace(old, new))
    code, _, err = command("bench", grid, "--out", tmp_path / "out")
    assert code == 2
    assert message in err
    assert not (tmp_path / "out" / "results.json").exists()


def test_ctrl_c_says_how_to_go_on(started, tmp_path):
    words = ["-m", "expunge", *TRAIN, "--epochs", "500", "--store", tmp_path / "runs"]
    process = started(*words)
    aside = tmp_path / "runs" / ".aside"
    wait_for(lambda: list(aside.glob(".expunge-train-*")))
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.said(60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == LINE
    assert "Traceback" not in err
    assert list(aside.iterdir()) == []
    assert [path.name[:5] for path in aside.parent.glob("*-*")] == ["data-"]


def test_numpy_data_of_ones_own(command, tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "own.npz"
    arrays = {
        f"{kind}_{part}": rng.integers(0, 255 if kind == "x" else 3, shape).astype(dtype)
        for part in ("train", "test")
        for kind, shape, dtype in (("x", (90, 12, 12, 3), np.uint8), ("y", (90,), np.int64))
    }
    np.savez(path, **arrays)
    words = ["train", "--data", path, "--model", "resnet8", "--epochs", "1", "--rewind_epoch", "0"]
    run = ok(command(*words, "--store", tmp_path / "runs")).strip()
    assert run.startswith("train-")


def test_one_machine_is_one_maker(command, grid, tmp_path):
    """Also of models that were unlearned or pruned, whose precision is that of their origin."""
    grid.write_text(grid.read_text().replace("[data]", 'precision = "bf16-true"\n[data]'))
    found = json.loads(ok(command("bench", grid, "--out", tmp_path / "out", "--json")))
    (maker,) = found["makers"]
    assert maker["precision"] == "bf16-true"
    assert {cell["made_by"] for cell in found["cells"]} == {0}
    assert found["metrics"]["drift"] == {
        "unit": "norm", "compared": False, "title": get_metric("drift").title,
    }  # fmt: skip
