"""What the words of a command say is what is done."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tests.wiring.test_grid_by_hand import Base, measure

from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.statistics import input_statistics
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.models.weights import read_tensors
from expunge.scenarios import by_ids, make_split
from expunge.settings import Training, derive_seed
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

RECIPE = """
title = "Words"
scenarios = ["random:0.2"]
seeds = [7]
{precision}
[data]
source = "{source}"
train_limit = 60
test_limit = 40
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
batch_size = 16
rewind_epoch = 0
[methods.retrain]
"""


@pytest.fixture
def cells(command, tmp_path):
    """The cells of a small grid that a command runs, without their times."""
    folders = iter(range(9))

    def run(*words, source="digits", precision=""):
        recipe, out = tmp_path / "recipe.toml", tmp_path / f"out-{next(folders)}"
        recipe.write_text(RECIPE.format(source=source, precision=precision))
        code, printed, err = command(
            "bench", recipe, "--out", out, "--device", "cpu", *words, "--json"
        )
        assert code == 0, err
        found = json.loads(printed)["cells"]
        return [{key: cell[key] for key in cell if key not in ("rte_s", "run")} for cell in found]

    return run


def test_seeds_of_the_command_stand_above_the_recipes(cells):
    found = cells("--seeds", "2")
    assert [(cell["seed"], cell["method"]) for cell in found] == [
        (0, "original"),
        (0, "retrain"),
        (1, "original"),
        (1, "retrain"),
    ]
    assert found[0]["confidence"] != found[2]["confidence"]
    assert [cell["seed"] for cell in cells()] == [7, 7]


def test_data_of_the_command_stand_above_the_recipes(cells, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        f"{kind}_{part}": array
        for part in ("train", "test")
        for kind, array in (
            ("x", rng.integers(0, 256, (100, 8, 8), dtype=np.uint8)),
            ("y", np.arange(100) % 4),
        )
    }
    np.savez(tmp_path / "own.npz", **arrays)
    own = tmp_path / "own.npz"
    assert cells("--data", own) == cells(source=own) != cells()


def test_workers_find_what_one_process_finds(cells):
    assert cells("--seeds", "2", "--workers", "2") == cells("--seeds", "2")


def test_precision_of_the_recipe_is_that_of_training(cells):
    assert cells(precision='precision = "bf16-mixed"') != cells()


TRAIN = [
    "train", "--data", "digits", "--train-limit", "60", "--test-limit", "40",
    "--model", "resnet8", "--width", "0.25", "--batch_size", "16", "--rewind_epoch", "0",
]  # fmt: skip


def test_a_model_is_trained_in_bf16_and_judged_in_float32(answer, tmp_path):
    """By hand: the original, FT that forgets a list of ids, and all that is measured."""
    dataset = load(DataSpec(source="digits", train_limit=60, test_limit=40))
    train = dataset.train
    ids = tmp_path / "delete.csv"
    ids.write_text("id\n" + "\n".join(train.ids[10:25]) + "\n")
    original = answer(
        *TRAIN, "--epochs", "2", "--schedule", "cosine", "--flip", "true", "--seed", "3",
        "--precision", "bf16-mixed",
    )["run"]  # fmt: skip
    gone = answer(
        "unlearn", original, "--forget", f"ids:{ids}", "--method", "ft",
        "--epochs", "1", "--lr", "0.1", "--momentum", "0.5", "--batch_size", "10",
        "--out", tmp_path / "gone.safetensors",
    )  # fmt: skip
    assert gone["unlearned_from"] == original

    recipe = Training(epochs=2, batch_size=16, schedule="cosine", flip=True)
    half = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    context = Context(fabric=half, seed=3, augmentation=recipe.augmentation)
    mean, std = input_statistics(train)
    spec = ModelSpec(name="resnet8", width=0.25, num_classes=10, in_channels=1, mean=mean, std=std)
    model = build(spec, seed=derive_seed(3, "initialisation"))
    fit(model, Stream(train, torch.arange(60)), task_loss, recipe, context)
    before = copy.deepcopy(model)
    split = make_split(train, by_ids(train.ids[10:25]))
    short = Training(epochs=1, batch_size=10, lr=0.1, momentum=0.5, schedule="constant")
    fit(
        model,
        Stream(train, split.retain),
        task_loss,
        short,
        replace(context, seed=derive_seed(3, "unlearn")),
    )
    written = read_tensors(tmp_path / "gone.safetensors")
    assert all(torch.equal(written[name], tensor) for name, tensor in model.state_dict().items())

    ours = measure(model, Base("none", 0.0, before, None), model, dataset, split, 3)
    found = answer("evaluate", gone["run"])
    assert found["metrics"] == ours["metrics"] | {"weight_distance": None}
    assert found["attacks"] == ours["attacks"]
    assert found["confidence"] == ours["confidence"]


@pytest.mark.parametrize("pruner", ["omp", "snip"])
def test_settings_of_pruning_reach_it(answer, pruner):
    original = answer(*TRAIN, "--epochs", "1")["run"]
    words = ["prune", original, "--method", pruner, "--sparsity", "0.5"]
    usual, linear = answer(*words), answer(*words, "--layers", "conv,linear")
    assert len(linear["layers"]) == len(usual["layers"]) + 1
    for found in (usual, linear):
        kept, total = (sum(layer[key] for layer in found["layers"]) for key in ("kept", "total"))
        assert kept == total - round(0.5 * total)


def test_rewinding_starts_from_the_epoch_that_the_recipe_names(answer):
    """An original of two epochs, rewound to its second, is where it stands."""
    early = answer(*TRAIN, "--epochs", "2")["run"]
    late = answer(*TRAIN[:-1], "2", "--epochs", "2")["run"]
    found = {}
    for name, original in (("early", early), ("late", late)):
        for rewind in ("true", "false"):
            words = ["--sparsity", "0.5", "--rewind", rewind]
            run = answer("prune", original, "--method", "omp", *words)["run"]
            measured = answer("evaluate", run, "--forget", "class:3")
            found[name, rewind] = measured["confidence"]["after"]
    assert found["late", "true"] == found["late", "false"] == found["early", "false"]
    assert found["early", "true"] != found["late", "true"]
