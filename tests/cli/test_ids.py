"""Which samples were forgotten: written beside the weights, and listed by `runs ids`."""

import json
import re

import numpy as np
import pytest
from tests.cli.conftest import ok

SMALL = ["--model", "resnet8", "--width", "0.25", "--epochs", "1", "--rewind-epoch", "0"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few")
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    labels = np.arange(12) % 3
    np.savez(
        folder / "few.npz",
        x_train=images,
        y_train=labels,
        ids_train=[f"train-{row}" for row in range(12)],
        x_test=images[:1],
        y_test=labels[:1],
        ids_test=["test-0"],
    )
    return folder


@pytest.fixture
def original(command, place):
    words = ["train", "--data", place / "few.npz", *SMALL, "--store", place / "runs"]
    return ok(command(*words)).strip()


def test_chosen_ids_are_written_beside_the_weights_and_read_again(
    command, place, original, tmp_path
):
    at = ["--store", place / "runs"]
    unlearn = ["unlearn", original, "--method", "ga", *at]
    out = tmp_path / "gone.safetensors"
    listed = tmp_path / "gone.ids.csv"
    code, run, err = command(*unlearn, "--forget", "random:0.3", "--out", out)
    assert code == 0
    assert f"note: the ids of the 4 forgotten samples are in {listed}" in err
    chosen = listed.read_text().splitlines()
    assert chosen[0] == "id"
    assert len(chosen) == 5
    again = json.loads(ok(command(*unlearn, "--forget", f"ids:{listed}", "--json")))
    for name in (run.strip(), again["run"]):
        assert ok(command("runs", "ids", name, *at)) == listed.read_text()
    shown = json.loads(ok(command("runs", "ids", run.strip(), "--json", *at)))
    assert shown == {"run": run.strip(), "scenario": "random:0.3", "ids": chosen[1:]}
    out.unlink()
    code, _, err = command(*unlearn, "--forget", "class:1", "--out", out)
    assert code == 2
    assert f"{listed} already exists" in err
    assert not out.exists()
    found = json.loads(
        ok(command(*unlearn, "--forget", "class:1", "--out", tmp_path / "b.safetensors", "--json"))
    )
    assert found["ids"] == str(tmp_path / "b.ids.csv")


def test_a_model_that_unlearned_nothing_has_no_ids(command, place, original):
    code, out, err = command("runs", "ids", original, "--store", place / "runs")
    assert (code, out) == (2, "")
    assert "has unlearned nothing" in err


def test_ids_of_test_samples_are_said_to_be_such(command, place, original, tmp_path):
    (tmp_path / "few.txt").write_text("test-0\ntrain-1\nstranger\ntrain-1\n")
    words = ["unlearn", original, "--forget", f"ids:{tmp_path / 'few.txt'}"]
    code, out, err = command(*words, "--store", place / "runs")
    assert (code, out) == (2, "")
    assert "of the 4 ids in" in err
    assert (
        "1 are test samples (test-0) and 1 are not in the training data (stranger) and 1 are given "
        "more than once (train-1): expected ids of training samples, each once" in err
    )


def test_an_unknown_precision_is_refused_before_the_data_are_read(command, tmp_path):
    words = ["--data", tmp_path / "missing.npz", *SMALL, "--precision", "64-false"]
    code, out, err = command("train", *words, "--store", tmp_path / "runs")
    assert (code, out) == (2, "")
    assert err.startswith("error: precision must be one of auto, 32-true, bf16-mixed")


def test_one_retained_and_one_test_sample_are_measured_as_far_as_they_go(command, place, original):
    at = ["--store", place / "runs"]
    words = ["unlearn", original, "--forget", "random:0.9", "--epochs", "1", *at]
    run = ok(command(*words)).strip()
    why = "the attack needs at least 2 retain samples, got 1"
    found = json.loads(ok(command("evaluate", run, "--json", *at)))
    assert found["metrics"]["ra"] is not None
    assert found["metrics"]["mia_efficacy"] is None
    assert found["reasons"]["mia_efficacy"] == why
    assert why in ok(command("evaluate", run, "--attacks", *at))


def test_more_memory_than_there_is_is_one_line(command, place):
    words = ["--data", place / "few.npz", *SMALL, "--crop-padding", "1000000"]
    code, out, err = command("train", *words, "--store", place / "large")
    assert (code, out) == (2, "")
    assert re.search(r"^error: train-\S+ needs more memory than there is", err, re.MULTILINE)
    assert "Traceback" not in err
