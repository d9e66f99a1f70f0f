"""Every shipped result belongs to a shipped recipe, and settings that differ are named."""

import json
from pathlib import Path

import pytest

from expunge.errors import ConfigError
from expunge.report import load_results
from expunge.report.attribution import load_attribution
from expunge.report.pruning import load_pruning
from expunge.report.theory import load_theory
from expunge.runs import read_document
from expunge.studies.belonging import differences
from expunge.studies.folder import plain
from expunge.studies.recipe import read_experiment

ROOT = Path(__file__).parents[2]
SHIPPED = [
    path for path in sorted((ROOT / "results").glob("*/*.json")) if path.parent.name != "benchmarks"
]
CHANGED_SINCE = {
    # A result of settings that its recipe has no longer: which ones. Run again, it leaves the list.
}


def name_of(path):
    return f"{path.parent.name}/{path.name}"


def read(path):
    there = json.loads(path.read_text(encoding="utf-8"))
    kinds = {
        "cells": load_results,
        "trends": load_theory,
        "pruned": load_pruning,
        "overlaps": load_attribution,
        "removals": read_document,
    }
    return next(load for key, load in kinds.items() if key in there)(path)


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_a_shipped_result_is_of_a_shipped_recipe(path):
    recipe = ROOT / "recipes" / f"{path.parent.name}.toml"
    assert recipe.exists(), f"results/{path.parent.name} is the name of no recipe"
    document = read(path)
    found = differences(document["settings"], recipe, document.get("recipe"))
    expected = CHANGED_SINCE.get(name_of(path), [])
    assert found == expected, f"{path} differs from {recipe.name} in {found}"
    said = document.get("recipe")
    assert said is None or said["name"] == path.parent.name


def test_nothing_lies_beside_the_folders():
    assert [path.name for path in (ROOT / "results").iterdir() if path.is_file()] == []
    assert CHANGED_SINCE.keys() <= {name_of(path) for path in SHIPPED}
    assert len(SHIPPED) >= 10


RECIPE = """
title = "A"
scenarios = ["class:1"]
seeds = [0, 1]
[data]
source = "digits"
[network]
name = "resnet8"
[methods.retrain]
[methods.ft]
epochs = 3
[[claims]]
name = "c"
scenario = "class:1"
first = { method = "ft" }
second = { method = "original" }
direction = "lower"
effect = 1.0
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(RECIPE)
    return path


def test_what_differs_is_named(recipe):
    settings = plain(read_experiment(recipe))
    assert differences(settings, recipe) == []
    settings["seeds"] = [0]
    settings["methods"]["ft"] = {"epochs": 4, "lr": 0.1}
    settings["training"]["lr"] = 0.5
    assert differences(settings, recipe) == [
        "methods.ft.epochs",
        "methods.ft.lr",
        "seeds",
        "training.lr",
    ]


def test_claims_may_be_added_and_defaults_that_are_newer_are_no_difference(recipe):
    settings = plain(read_experiment(recipe))
    settings["claims"] = []
    del settings["retrain_again"], settings["training"]["nesterov"], settings["data"]["edits"]
    assert differences(settings, recipe) == []


def test_a_setting_that_is_gone_is_a_difference(recipe):
    settings = plain(read_experiment(recipe))
    settings["training"]["clip"] = 1.0
    assert "training.clip" in differences(settings, recipe)


def test_a_recipe_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the recipe"):
        differences({}, tmp_path / "none.toml")


def test_a_result_is_held_against_the_scale_and_part_that_it_is_of(recipe):
    recipe.write_text(RECIPE + "[scales.cpu]\nseeds = [0]\n[scales.cpu.training]\nepochs = 2\n")
    cpu = plain(read_experiment(recipe, scale="cpu"))
    said = {"name": "a", "scale": "cpu", "only": None, "digest": "x"}
    assert differences(cpu, recipe, said) == []
    assert differences(cpu, recipe, {**said, "scale": "paper"}) == ["seeds", "training.epochs"]
    # One that does not say its scale is of the nearest.
    assert differences(cpu, recipe) == []
    assert differences({**cpu, "seeds": [3]}, recipe) == ["seeds"]
    part = plain(read_experiment(recipe, only="retrain"))
    assert differences(part, recipe, {**said, "scale": "paper", "only": "retrain"}) == []
    assert "methods.ft" in differences(part, recipe)
    with pytest.raises(ConfigError, match="unknown scale 'gpu'"):
        differences(cpu, recipe, {**said, "scale": "gpu"})
    recipe.write_text(RECIPE + "[attribution.attributors.dot]\n")
    with pytest.raises(ConfigError, match="attribution is measured whole, got only 'retrain'"):
        differences(cpu, recipe, {**said, "scale": "paper", "only": "retrain"})
