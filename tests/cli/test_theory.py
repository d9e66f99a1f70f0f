"""The theorem's commands, as a person at a terminal meets them."""

import json

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
[data]
source = "digits"
train_limit = 60
test_limit = 30
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
batch_size = 20
lr = 0.01
momentum = 0.0
weight_decay = 0.0
schedule = "constant"
rewind_epoch = 0
[methods.ft]
epochs = 1
"""
QUICK = ["--samples", "10", "--tolerance", "0.01"]


def test_a_curve_and_one_run_of_it(command, tmp_path):
    recipe, out = tmp_path / "tiny.toml", tmp_path / "out"
    recipe.write_text(RECIPE)
    code, shown, err = command("theory", recipe, "--out", out, *QUICK)
    assert code == 0, err
    assert "Forget class 3" in shown
    assert "e(m)" in shown
    assert (out / "theory-class-3.svg").exists()
    document = json.loads((out / "theory.json").read_text())
    assert document["reproduce"].endswith("tiny.toml --samples 10 --tolerance 0.01")
    assert document["settings"]["hessian"]["samples"] == 10
    (point,) = document["points"]
    at = ["--store", out / "runs"]
    code, shown, err = command("theory-run", "train-", *at, *QUICK, "--json")
    assert code == 0, err
    facts = json.loads(shown)
    assert facts["steps"] == point["steps"]
    assert facts["departures"] == []
    code, shown, _ = command("theory-run", "train-", *at, *QUICK)
    assert code == 0
    assert f"{facts['sigma']:.4g}" in shown
    code, _, err = command("theory-run", "train-", *at, "--samples", "none")
    assert code == 2
    assert "samples must be a whole number" in err


def test_a_recipe_that_is_not_plain_sgd_is_refused(command, tmp_path):
    recipe = tmp_path / "heavy.toml"
    recipe.write_text(RECIPE.replace("momentum = 0.0", "momentum = 0.9"))
    code, _, err = command("theory", recipe, "--out", tmp_path / "out")
    assert code == 2
    assert "momentum 0.9 instead of 0" in err
    assert not (tmp_path / "out").exists()


def test_a_dry_run_shows_the_nodes_and_makes_nothing(command, tmp_path):
    recipe, out = tmp_path / "tiny.toml", tmp_path / "out"
    recipe.write_text(RECIPE)
    picture = tmp_path / "tiny.svg"
    words = ["theory", recipe, "--out", out, "--dry-run", "--graph", picture, "--json"]
    code, shown, err = command(*words)
    assert code == 0, err
    planned = json.loads(shown)
    assert planned["missing"] == len(planned["nodes"]) > 0
    assert {"sgd_path", "sharpness", "theorem"} <= {node["kind"] for node in planned["nodes"]}
    assert picture.read_text().startswith("<svg")
    assert not out.exists()
