"""Data parallelism: a bench by two processes of the CPU makes the stages that one makes."""

import json
from collections import Counter
from itertools import product

import numpy as np
import pytest
from tests.processes import in_new_process

from expunge.runs import Store, read_arrays

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
metrics = ["ua", "ra", "ta", "ta_forgotten", "mia_efficacy", "mia_privacy", "drift"]
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
crop_padding = 1
[methods.ft]
epochs = 1
batch_size = 40
[methods.ff]
[methods.iu]
samples = 20
"""
CELLS = ["original", "ft", "ff", "iu"]


def expunge(*words):
    return in_new_process("expunge", *words)


def predictions(store):
    """What is predicted in the store, by the method that made the model and the population."""
    found = {}
    for name in store.ids():
        node = store.node(name)
        if node.kind == "predict":
            method = store.node(node.parents["model"]).params.get("method", "original")
            made = method, node.params["population"]
            found[made] = read_arrays(store.path(name) / "predictions.safetensors")
    return found


@pytest.mark.slow
def test_two_processes_make_every_stage_once_and_as_one_process_does(tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)
    found = []
    for devices in (["--devices", "2", "--strategy", "ddp"], []):
        out = tmp_path / f"by {len(devices)}"
        results = json.loads(
            expunge("bench", recipe, "--out", out, "--device", "cpu", *devices, "--json")
        )
        assert [cell["method"] for cell in results["cells"]] == CELLS
        kinds = Counter(name.partition("-")[0] for name in Store(out / "runs").ids())
        assert kinds == {
            "data": 1,
            "train": 1,
            "forget": 1,
            "unlearn": 3,
            "predict": 8,
            "measure": 28,
        }
        assert not list((out / "runs" / ".aside").glob(".*"))
        found.append(predictions(Store(out / "runs")))
    by_two, by_one = found
    assert by_two.keys() == by_one.keys() == set(product(CELLS, ("train", "test")))
    for made, arrays in by_one.items():
        assert {len(values) for values in arrays.values()} == {121 if made[1] == "train" else 61}
        for name, values in arrays.items():
            np.testing.assert_allclose(
                by_two[made][name], values, rtol=1e-4, atol=1e-4, err_msg=f"{made}: {name}"
            )


@pytest.mark.slow
def test_two_processes_train_in_another_precision_than_they_evaluate_in(tmp_path):
    words = ["--data", "digits", "--model", "resnet8", "--width", "0.25", "--train-limit", "121"]
    words += ["--epochs", "1", "--device", "cpu", "--devices", "2", "--strategy", "ddp"]
    out = expunge("train", *words, "--precision", "bf16-mixed", "--store", tmp_path)
    assert Store(tmp_path).has(out.split()[-1])
