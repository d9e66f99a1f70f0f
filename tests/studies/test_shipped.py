"""The recipes that come with the package, and what is said of them."""

import json
from pathlib import Path

import pytest
from tests.studies.small import TINY, planned, tiny

from expunge.errors import ConfigError
from expunge.studies import shipped as module
from expunge.studies.recipe import read_experiment
from expunge.studies.shipped import catalogue, find_recipe, shipped

ROOT = Path(__file__).parent.parent.parent


def test_the_recipes_of_the_checkout_come_with_the_package():
    there = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "recipes").iterdir()}
    assert {name: path.read_text(encoding="utf-8") for name, path in shipped().items()} == there


def test_a_recipe_is_found_by_path_or_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_recipe(Path("cifar10")) == shipped()["cifar10"]
    for given in ("cifar10.toml", "recipes/cifar10", "."):
        assert find_recipe(Path(given)) == Path(given)
    Path("cifar10").write_text("")
    assert find_recipe(Path("cifar10")) == Path("cifar10")
    message = "there is no file cifar1O: unknown recipe 'cifar1O': .*mean 'cifar10'"
    with pytest.raises(ConfigError, match=message):
        find_recipe(Path("cifar1O"))


def test_a_folder_of_results_does_not_hide_the_recipe_that_it_is_named_after(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("cifar10").mkdir()
    assert find_recipe(Path("cifar10")) == shipped()["cifar10"]


def test_the_catalogue_says_what_each_recipe_makes_and_needs():
    found = {(each.name, each.scale): each for each in catalogue()}
    paper, cpu = found["cifar10", "paper"], found["cifar10", "cpu"]
    assert (paper.hub, cpu.hub) == (True, False)
    assert (paper.seeds, paper.cells) == (10, 10 * 2 * 2 * 8)
    assert cpu.cells == read_experiment(shipped()["cifar10"], "cpu").cell_count
    assert paper.makes == cpu.makes == "main table: methods on dense and 95 % sparse models"
    assert "dense" in paper.subsets
    commands = {name: each.command for (name, _), each in found.items()}
    assert commands["theory-digits"] == "expunge theory"
    assert commands["pruners-digits"] == "expunge pruning"
    assert commands["attribution-digits"] == "expunge attribution"
    assert commands["transfer-imagenet-pets"] == "expunge transfer"
    assert not found["trojan-digits", "paper"].hub


def test_cells_are_counted_as_they_are_planned(tmp_path):
    text = TINY.replace("sparsity = 0.5", "sparsity = [0.5, 0.9]").replace(
        "[methods.l1_sparse]", "[methods.l1_sparse]\nsparsities = [0.5]"
    )
    experiment = tiny("retrain_again = true\nseeds = [0, 1]\n" + text)
    assert experiment.cell_count == len(planned(tmp_path, experiment)[1])


def test_cost_is_that_of_whole_committed_results(tmp_path, monkeypatch):
    cells = [{"rte_s": 2.0}, {"rte_s": None}, {"rte_s": 3.0}]
    said = {"name": "cifar10", "scale": "cpu", "only": None}
    documents = {
        "svhn/old.json": {"cells": cells},
        "cifar10/cpu.json": {"cells": cells, "recipe": said},
        "cifar10/part.json": {"cells": [], "recipe": {**said, "only": "ft"}},
        "benchmarks/cifar10-cpu.json": {"cells": []},
        "theory-digits/one.json": {"points": []},
    }
    for name, document in documents.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document))
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    seconds = {(each.name, each.scale): each.seconds for each in catalogue()}
    assert seconds["cifar10", "cpu"] == seconds["svhn", "paper"] == 5.0
    assert seconds["cifar10", "paper"] is None
