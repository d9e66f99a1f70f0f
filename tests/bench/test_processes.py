"""Data parallelism: two processes on the CPU do what one does."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from expunge.runs import Store, read_arrays

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
[data]
source = "digits"
train_limit = 121
test_limit = 61
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
batch_size = 40
rewind_epoch = 1
[methods.ft]
epochs = 1
batch_size = 40
"""
ADOPT = [
    "--data",
    "digits",
    "--model",
    "resnet8",
    "--width",
    "0.25",
    "--train-limit",
    "121",
    "--test-limit",
    "61",
    "--device",
    "cpu",
]


def expunge(*words):
    done = subprocess.run(
        [sys.executable, "-m", "expunge", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def logits(store, run_id):
    """The predictions in the store that were made with `run_id`."""
    store = Store(store)
    (found,) = [
        summary.id
        for summary in store.list()
        if summary.kind == "predict" and store.open(summary.id).spec.parents["model"] == run_id
    ]
    return read_arrays(store.path(found) / "predictions.safetensors")


@pytest.mark.slow
def test_two_processes_train_one_model_and_predict_as_one_process(tmp_path):
    recipe, out, alone = tmp_path / "tiny.toml", tmp_path / "out", tmp_path / "alone"
    recipe.write_text(RECIPE)
    two = ["--device", "cpu", "--devices", "2", "--strategy", "ddp", "--json"]
    results = json.loads(expunge("bench", recipe, "--out", out, *two))
    assert [cell["method"] for cell in results["cells"]] == ["original", "ft"]
    shared = out / "runs"
    kinds = sorted(path.name.partition("-")[0] for path in shared.glob("[a-z]*"))
    assert kinds == ["measure", "measure", "predict", "predict", "train", "unlearn"]
    assert not list(shared.glob(".tmp-*"))
    (run,) = (path.name for path in shared.glob("train-*"))
    # The same weights, predicted by one process: every sample once, in the same order.
    weights = shared / run / "model.safetensors"
    (adopted,) = expunge("train", *ADOPT, "--weights", weights, "--store", alone).split()
    expunge("evaluate", adopted, "--forget", "class:3", "--device", "cpu", "--store", alone)
    ours, theirs = logits(shared, run), logits(alone, adopted)
    assert {name: len(values) for name, values in ours.items()} == {
        "train_logits": 121, "train_labels": 121, "test_logits": 61, "test_labels": 61,
    }  # fmt: skip
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)
