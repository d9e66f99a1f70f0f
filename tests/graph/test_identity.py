"""What is part of an id and what is not: a change reaches its users and their descendants alone."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.studies.small import TINY, ids, planned, tiny

import expunge
from expunge import data, detectors, methods, metrics, models, sparsity
from expunge.cli.options import session
from expunge.data.edits import EDITS
from expunge.data.facts import resolve
from expunge.data.spec import DataSpec
from expunge.detectors import DETECTORS
from expunge.graph.graph import Graph
from expunge.graph.kinds import KINDS
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.pictures import add_pictures
from expunge.graph.kinds.train import Together
from expunge.runs import Store
from expunge.studies.attribution import plan_attribution
from expunge.studies.attribution_recipe import AttributionSettings
from expunge.studies.grid import plan_grid
from expunge.studies.theory import plan_theory
from expunge.studies.transfer.study import parse_transfer, plan_removals, plan_transfer
from expunge.theory.config import HessianConfig

RECIPE = (
    TINY.replace(
        '"class:3", ', '"class:3", "edited:badnets", "corrected:badnets", "suspected:strip", '
    )
    + """
[methods.ft]
epochs = 1
[methods.ga]
[data.edits.badnets]
share = 0.2
"""
)
IMAGES = """
title = "Images"
scenarios = ["class:3"]
metrics = ["frechet", "near_copies", "drift"]
[data]
source = "digits"
train_limit = 60
test_limit = 30
[network]
name = "unet"
[training]
epochs = 1
[judging]
per_class = 2
[methods.ft]
epochs = 1
"""
PLAIN = """
title = "Plain"
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
momentum = 0.0
weight_decay = 0.0
schedule = "constant"
[methods.ft]
epochs = 1
"""
TRANSFER = """
[influence]
subsets = 10
[target]
source = "digits"
seed = 5
train_limit = 60
validation_fraction = 0.2
"""
ATTRIBUTION = AttributionSettings(
    attributors={"gradient_similarity": {}}, targets="draw:3", retained=(0.5,), subsets=3
)


@pytest.fixture
def plan(tmp_path):
    """All nodes of a grid, of a theory and one that does nothing, as they are planned now."""

    def plan(together=None):
        graph = Graph(Store(tmp_path / "runs"))
        plan_grid(graph, tiny(RECIPE), together=together)
        add_pictures(graph, next(node.id for node in graph if node.kind == "data"))
        plan_theory(graph, tiny(PLAIN), HessianConfig())
        plan_grid(graph, tiny(IMAGES))
        plan_attribution(graph, tiny(PLAIN), ATTRIBUTION)
        study = parse_transfer(
            PLAIN.replace('scenarios = ["class:3"]', "numbers = [1]") + TRANSFER, "transfer"
        )
        plan_removals(graph, plan_transfer(graph, study), range(10))
        graph.add("empty", {"seed": 0})
        return list(graph)

    return plan


def changed(before, after, uses):
    """Check that of two plans of the same exactly the users and their descendants differ."""
    assert [node.kind for node in before] == [node.kind for node in after]
    expected = set()
    for node in before:
        if uses(node) or expected & set(node.parents.values()):
            expected.add(node.id)
    pairs = zip(before, after, strict=True)
    assert {old.id for old, new in pairs if old.id != new.id} == expected
    return expected


def newer(entries, name):
    """A registry's tuple, one entry of which has a new version."""
    return tuple(
        replace(each, version=each.version + 1) if each.name == name else each for each in entries
    )


def test_the_plan_holds_every_kind(plan):
    """So that what follows is tried on each."""
    assert {node.kind for node in plan()} == set(KINDS)


def test_every_node_stands_on_its_models_own_data_and_training(plan):
    """There are several of each in the plan."""
    nodes = {node.id: node for node in plan()}
    assert sum(node.kind == "train" for node in nodes.values()) == 4
    # What is corrected stands on the data before and after: the one kind that moves to others.
    pairs = {
        (n.parents["before"], n.parents["data"]) for n in nodes.values() if n.kind == "correct"
    }
    assert all(before != after for before, after in pairs)
    for node in nodes.values():
        if "model" in node.parents and "data" in node.parents:
            model = nodes[node.parents["model"]]
            both = node.parents["data"], model.parents["data"]
            assert both[0] == both[1] or {both, both[::-1]} & pairs
            origin = model.parents.get("origin", model.id)
            assert node.parents.get("origin", origin) == origin
        if "forget" in node.parents:
            forget = nodes[node.parents["forget"]]
            own = node.parents.get("before", node.parents["data"])
            assert forget.parents["data"] == own


@pytest.mark.parametrize("kind", KINDS)
def test_a_kinds_new_version_changes_its_own_and_its_descendants_ids(plan, monkeypatch, kind):
    before = plan()
    monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], version=KINDS[kind].version + 1))
    assert changed(before, plan(), lambda node: node.kind == kind)


PLANNING = """
import sys
from pathlib import Path
from expunge.graph.graph import Graph
from expunge.runs import Store, code_digest
from expunge.studies.grid import plan_grid
from expunge.studies.recipe import read_experiment
graph = Graph(Store(Path(sys.argv[2])))
plan_grid(graph, read_experiment(Path(sys.argv[1])))
print(code_digest(), *(node.id for node in graph))
"""


def test_a_comment_in_every_source_file_changes_no_id(tmp_path):
    source = tmp_path / "src"
    shutil.copytree(Path(expunge.__file__).parent, source / "expunge")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)

    def plan():
        words = [sys.executable, "-c", PLANNING, recipe, tmp_path / "runs"]
        environ = {**os.environ, "PYTHONPATH": str(source)}
        out = subprocess.check_output(words, env=environ, text=True, cwd=tmp_path)
        digest, *found = out.split()
        return digest, found

    code, before = plan()
    for file in source.rglob("*.py"):
        file.write_text(file.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    other, after = plan()
    assert after == before
    assert other != code


@pytest.mark.parametrize("name", ["ft", "l1_sparse", "retrain", "ga"])
def test_a_methods_new_version_changes_what_it_made(plan, monkeypatch, name):
    before = plan()
    monkeypatch.setattr(methods, "METHODS", newer(methods.METHODS, name))

    def uses(node):
        among = node.params.get("methods", {}) if node.kind == "theorem" else {}
        return node.params.get("method") == name or name in among

    assert changed(before, plan(), uses)


def test_a_pruners_new_version_changes_what_it_made(plan, monkeypatch):
    before = plan()
    monkeypatch.setattr(sparsity, "PRUNERS", newer(sparsity.PRUNERS, "omp"))
    assert changed(before, plan(), lambda node: node.params.get("pruner") == "omp")


@pytest.mark.parametrize("name", ["ua", "drift"])
def test_a_metrics_new_version_changes_its_measurements_and_no_others(plan, monkeypatch, name):
    before = plan()
    monkeypatch.setattr(metrics, "METRICS", newer(metrics.METRICS, name))
    found = changed(before, plan(), lambda node: node.params.get("metric") == name)
    assert {each.partition("-")[0] for each in found} == {"measure"}


def test_a_networks_new_version_changes_its_models(plan, monkeypatch):
    before = plan()
    entries = models.networks.MODELS
    monkeypatch.setitem(entries, "resnet8", replace(entries["resnet8"], version=2))
    name = "resnet8"
    assert changed(before, plan(), lambda node: node.params.get("network", {}).get("name") == name)
    monkeypatch.setitem(entries, "resnet18", replace(entries["resnet18"], version=2))
    again = plan()
    assert not changed(again, plan(), lambda node: False)


def test_an_edits_new_version_changes_the_data_that_it_edited(plan, monkeypatch):
    before = plan()
    monkeypatch.setattr(data.edits, "EDITS", newer(EDITS, "badnets"))
    assert changed(before, plan(), lambda node: "edits" in node.params)
    monkeypatch.setattr(data.edits, "EDITS", newer(EDITS, "relabel"))
    assert not changed(before, plan(), lambda node: False)


def test_a_detectors_new_version_changes_the_suspects_that_it_finds(plan, monkeypatch):
    before = plan()
    monkeypatch.setattr(detectors, "DETECTORS", newer(DETECTORS, "strip"))
    assert changed(before, plan(), lambda node: node.kind == "suspect")
    monkeypatch.setattr(detectors, "DETECTORS", newer(DETECTORS, "spectral_signatures"))
    assert not changed(before, plan(), lambda node: False)


def test_how_steps_are_taken_is_part_of_an_id(plan):
    """Several processes, and compiled steps, take sums in another order."""
    before = plan()
    steps = {"train", "prune", "unlearn"}

    second = [number for number, node in enumerate(before) if node.kind == "data"][1]
    grid = {node.id for node in before[:second]}
    compiled = plan(Together(compiled=True))
    assert changed(before, compiled, lambda node: node.id in grid and node.kind in steps)
    two = plan(Together(devices=2, strategy="ddp"))
    assert changed(before, two, lambda node: node.id in grid and node.kind in {*steps, "predict"})


def test_where_a_grid_is_made_is_no_part_of_an_id(tmp_path):
    found = []
    for device, engine, workers in (("auto", None, None), ("cpu", "processes", 2)):
        space = session(tmp_path / "runs", device, engine=engine, workers=workers)
        graph = space.graph()
        plan_grid(graph, tiny(), together=space.together)
        found.append(ids(graph))
    assert found[0] == found[1]


NETWORK = '''"""A network."""
from torch import nn

def build(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, num_classes))
'''


def test_a_network_of_ones_own_is_what_its_code_computes(tmp_path, monkeypatch):
    module = tmp_path / "my_network_of_the_identity_tests.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, module.stem, raising=False)
    experiment = tiny()
    experiment = replace(
        experiment, network=replace(experiment.network, name=f"{module.stem}:build", width=1.0)
    )

    def plan(text):
        module.write_text(text)
        return list(planned(tmp_path / "runs", experiment)[0])

    before = plan(NETWORK)
    assert not changed(before, plan(f"# mine\n{NETWORK}"), lambda node: False)
    documented = NETWORK.replace('"""A network."""', '"""Another word."""')
    assert not changed(before, plan(documented), lambda node: False)
    after = plan(NETWORK.replace("ReLU", "Tanh"))
    assert changed(before, after, lambda node: node.kind == "train")


@pytest.fixture
def folder(tmp_path):
    """A folder of images."""
    rng = np.random.default_rng(0)
    root = tmp_path / "images"
    for name in ("cat", "dog"):
        for number in range(6):
            path = root / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(path)
    return root


def data_node(tmp_path, source):
    graph = Graph(Store(tmp_path / "runs"))
    spec = DataSpec(source=str(source))
    return graph.node(add_data(graph, spec, resolve(spec, tmp_path / "cache")))


def test_data_are_their_content_wherever_they_lie(tmp_path, folder):
    here = data_node(tmp_path, folder)
    copy = tmp_path / "elsewhere" / "copied"
    shutil.copytree(folder, copy)
    there = data_node(tmp_path, copy)
    assert there.id == here.id
    assert there.where["source"] != here.where["source"]
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(copy / "cat" / "0.png")
    assert data_node(tmp_path, copy).id != here.id
    assert data_node(tmp_path, folder).id == here.id
