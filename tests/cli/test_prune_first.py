"""Prune first, then unlearn: every pruner and every method, by one command and by one recipe."""

import json

import pytest

from expunge.methods import METHODS
from expunge.sparsity import PRUNERS

TRAIN = [
    "train", "--data", "digits", "--train-limit", "120", "--test-limit", "60",
    "--model", "resnet8", "--width", "0.25", "--epochs", "1", "--batch_size", "32",
    "--schedule", "one_cycle", "--rewind_epoch", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return str(tmp_path_factory.mktemp("store") / "runs")


@pytest.fixture
def answer(command, store):
    """The JSON that a command over the store prints."""

    def run(*words):
        code, out, err = command(*words, "--store", store, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.fixture
def original(answer):

    return answer(*TRAIN)["run"]


@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda pruner: pruner.name)
def test_every_pruner_by_one_command(command, answer, store, original, pruner):
    sparse = ["--prune", pruner.name, "--sparsity", "0.5", "--prune.layers", "conv,linear"]
    words = ["unlearn", original, "--forget", "class:3", *sparse, "--epochs", "1"]
    found = answer(*words)
    base = answer("runs", "show", found["unlearned_from"])
    assert base["params"]["pruner"] == pruner.name
    assert base["params"]["config"]["sparsity"] == 0.5
    assert base["params"]["config"]["layers"] == ["conv", "linear"]
    assert answer("evaluate", found["run"])["sparsity_at"]["0"] == pytest.approx(0.5, abs=1e-3)
    # By two commands it is the same run, found in the store.
    pruned = answer(
        "prune", original, "--method", pruner.name, "--sparsity", "0.5", "--layers", "conv,linear"
    )
    assert pruned["run"] == found["unlearned_from"]
    assert sum(layer["kept"] for layer in pruned["layers"]) == pytest.approx(
        0.5 * sum(layer["total"] for layer in pruned["layers"]), abs=1
    )
    code, out, err = command("prune", original, "--method", pruner.name, "--sparsity", "0.5",
                             "--layers", "conv,linear", "--store", store)  # fmt: skip
    assert (code, out.strip()) == (0, pruned["run"])
    assert all(layer["name"] in err.replace("\n", "") for layer in pruned["layers"])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_by_one_command(answer, original, method):
    sparse = ["--prune", "random", "--sparsity", "0.5", "--prune.rewind", "false"]
    found = answer("unlearn", original, "--forget", "class:3", "--method", method.name, *sparse)
    assert found["unlearned_from"].startswith("prune-")
    assert answer("evaluate", found["run"])["sparsity_at"]["0"] >= 0.499


def test_every_pruner_by_one_recipe(command, tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        """
title = "Tiny"
scenarios = ["class:3"]
[data]
source = "digits"
train_limit = 120
test_limit = 60
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 0
[methods.ft]
epochs = 1
"""
        + "".join(f"[pruners.{pruner.name}]\nsparsity = 0.3\n" for pruner in PRUNERS)
    )
    code, out, err = command("bench", recipe, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    cells = json.loads(out)["cells"]
    found = {(cell["pruner"], cell["method"]) for cell in cells}
    names = ["none", *(pruner.name for pruner in PRUNERS)]
    assert found == {(name, method) for name in names for method in ("original", "ft")}
    for cell in cells:
        assert cell["sparsity_at"]["0.01"] >= cell["sparsity_at"]["0"]
        assert cell["sparsity_at"]["0"] == pytest.approx(cell["sparsity"], abs=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sparsity", "0.5"], "need a pruner"),
        (["--prune.rewind", "false"], "need a pruner"),
        (["--prune", "opm"], "did you mean 'omp'"),
        (["--prune", "omp", "--sparsity", "1.5"], "sparsity must be"),
        (["--prune", "omp", "--prune.layer", "conv"], "did you mean 'layers'"),
        (["--prune", "snip", "--prune.rewind", "true"], "unknown setting 'rewind'"),
        (["--prune", "omp", "--forget", "class:99"], "99"),
    ],
)
def test_what_cannot_be_is_one_line(command, store, original, answer, words, message):
    before = answer("runs", "list")
    code, out, err = command("unlearn", original, "--forget", "class:3", *words, "--store", store)
    assert (code, out) == (2, "")
    assert message in err
    assert len([line for line in err.splitlines() if line.startswith("error: ")]) == 1
    assert answer("runs", "list") == before


def test_a_pruning_that_empties_a_layer_is_one_line_each_time(command, store, original):
    words = ["--forget", "class:3", "--prune", "synflow", "--sparsity", "0.9999"]
    for _ in range(2):  # the second time it is not pruned again
        code, out, err = command("unlearn", original, *words, "--store", store)
        assert (code, out) == (2, "")
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        assert "layer collapse" in line
    assert "found  3 in the store" in err
