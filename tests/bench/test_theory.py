"""The theorem's quantities over a tiny grid: made once, and refused where they do not apply."""

from dataclasses import replace

import pytest
import torch

from expunge.bench.experiment import parse_experiment
from expunge.bench.stages import Origin, ensure, load_model, prune_stage, train_stage, unlearn_stage
from expunge.bench.stages.model import WEIGHTS
from expunge.bench.stages.theory import START, load_facts, path_stage, sharpness_stage
from expunge.bench.theory_grid import run_theory, summarise, trends
from expunge.bench.workspace import Workspace
from expunge.errors import ConfigError, ModelError
from expunge.methods import get_method
from expunge.models.weights import read_tensors
from expunge.runs import Store
from expunge.sparsity import get_pruner
from expunge.theory.config import HessianConfig

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
seeds = [0]
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
[pruners.omp]
sparsity = 0.5
[methods.ft]
epochs = 1
"""
QUICK = HessianConfig(samples=10, tolerance=1e-2)


@pytest.fixture(scope="module")
def experiment():
    return parse_experiment(RECIPE, "tiny")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("theory") / "runs")


@pytest.fixture
def made():
    return []


@pytest.fixture
def workspace(store, made):
    def announce(run_id, label, seconds):
        if seconds is not None:
            made.append(run_id)

    return Workspace(store, device="cpu", announce=announce)


@pytest.fixture
def origin(experiment):
    return Origin(
        data=experiment.data, network=experiment.network, training=experiment.training, seed=0
    )


def test_a_curve_and_its_continuation(workspace, experiment, made, tmp_path):
    first = run_theory(workspace, experiment, QUICK, tmp_path / "out", "expunge theory tiny.toml")
    assert made
    points = first["points"]
    assert [(p["seed"], p["pruner"], p["sparsity"]) for p in points] == [
        (0, "none", 0.0),
        (0, "omp", 0.5),
    ]
    for point in points:
        assert point["steps"] == 6
        assert point["departures"] == []
        assert point["sparsity_measured"] == pytest.approx(point["sparsity"], abs=1e-3)
        assert point["bound"] == pytest.approx(1e-4 * 6 * point["moved"] * point["sigma"])
        assert set(point["distances"]) == {"add_back", "original", "ft"}
        # In six small steps the theorem's unlearner undoes most of what the forgotten did.
        assert 0 < point["distances"]["add_back"] < 0.5 * point["distances"]["original"]
    made.clear()
    again = run_theory(workspace, experiment, QUICK, tmp_path / "out", "expunge theory tiny.toml")
    assert again == first
    assert made == []


def test_a_path_keeps_its_mask_and_its_start(workspace, origin):
    pruner = get_pruner("omp")
    base = ensure(workspace, train_stage(workspace, origin))
    sparse = ensure(workspace, prune_stage(workspace, base, "omp", pruner.config(sparsity=0.5)))
    path = ensure(workspace, path_stage(workspace, sparse))
    folder = workspace.store.path(path)
    _, _, mask = load_model(folder)
    start, end = read_tensors(folder / START), read_tensors(folder / WEIGHTS)
    dense = read_tensors(
        workspace.store.path(ensure(workspace, path_stage(workspace, base))) / START
    )
    for name, kept in mask.items():
        assert not start[name][~kept].any()
        assert not end[name][~kept].any()
        # One initialisation, whatever is pruned of it.
        assert torch.equal(start[name][kept], dense[name][kept])
    moved = sum(float((end[n] - start[n]).double().square().sum()) for n in end if "num" not in n)
    facts = load_facts(workspace, ensure(workspace, sharpness_stage(workspace, path, QUICK)))
    assert facts["moved"] == pytest.approx(moved**0.5, rel=1e-5)


def test_a_path_begins_where_a_pruner_of_new_networks_did(workspace, origin):
    base = ensure(workspace, train_stage(workspace, origin))
    config = get_pruner("synflow").config(sparsity=0.3, rounds=3)
    sparse = ensure(workspace, prune_stage(workspace, base, "synflow", config))
    folder = workspace.store.path(ensure(workspace, path_stage(workspace, sparse)))
    start = read_tensors(folder / START)
    of_base = read_tensors(
        workspace.store.path(ensure(workspace, path_stage(workspace, base))) / START
    )
    assert not torch.equal(start["fc.weight"], of_base["fc.weight"])
    moved = load_facts(workspace, ensure(workspace, sharpness_stage(workspace, sparse, QUICK)))
    trained = read_tensors(workspace.store.path(sparse) / WEIGHTS)
    _, _, mask = load_model(folder)
    distance = sum(
        float((trained[n] - start[n]).double().square().sum())
        for n in start
        if n in mask or n.startswith(("fc", "bn")) or ".bn" in n
        if "running" not in n and "num" not in n
    )
    assert moved["moved"] == pytest.approx(distance**0.5, rel=1e-4)


def test_any_run_has_a_start(workspace, origin):
    base = ensure(workspace, train_stage(workspace, origin))
    config = get_method("ft").config(epochs=1)
    tuned = ensure(workspace, unlearn_stage(workspace, base, "class:3", "ft", config))
    config = get_method("retrain").config()
    fresh = ensure(workspace, unlearn_stage(workspace, base, "class:3", "retrain", config))
    facts = {
        run: load_facts(workspace, ensure(workspace, sharpness_stage(workspace, run, QUICK)))
        for run in (base, tuned, fresh)
    }
    assert facts[base]["departures"] == []
    assert facts[tuned]["departures"] == ["further training by unlearn, which t does not count"]
    # Small steps: what began where it is measured from has moved little.
    assert all(0 < fact["moved"] < 5 for fact in facts.values())
    assert facts[base]["sigma_start"] == facts[tuned]["sigma_start"] != facts[fresh]["sigma_start"]


def test_what_the_theorem_does_not_speak_of_is_refused(workspace, experiment, origin, tmp_path):
    heavy = replace(experiment, training=replace(experiment.training, momentum=0.9))
    with pytest.raises(ConfigError, match=r"momentum 0\.9 instead of 0"):
        run_theory(workspace, heavy, QUICK, tmp_path / "heavy", "")
    other = replace(experiment, methods={"retrain": {}})
    with pytest.raises(ConfigError, match="leave it out of the recipe"):
        run_theory(workspace, other, QUICK, tmp_path / "other", "")
    base = ensure(workspace, train_stage(workspace, origin))
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes((workspace.store.path(base) / WEIGHTS).read_bytes())
    adopted = ensure(workspace, train_stage(workspace, replace(origin, weights=str(weights))))
    with pytest.raises(ModelError, match=r"adopted weights \(mine\.safetensors\)"):
        sharpness_stage(workspace, adopted, QUICK)
    sharpness = ensure(workspace, sharpness_stage(workspace, base, QUICK))
    with pytest.raises(ConfigError, match="is no model"):
        sharpness_stage(workspace, sharpness, QUICK)


def point(seed, error, bound):
    numbers = dict.fromkeys(
        ("moved", "sigma", "sigma_start", "train_accuracy", "test_accuracy"), float(seed)
    )
    return {
        "scenario": "class:3",
        "pruner": "omp",
        "sparsity": 0.9,
        "seed": seed,
        "bound": bound,
        "distances": {"add_back": error, "original": 1.0},
        **numbers,
    }


def test_a_summary_is_mean_and_sample_deviation():
    (row,) = summarise([point(1, 2.0, 1.0), point(3, 8.0, 2.0)])
    assert (row["n"], row["pruner"], row["sparsity"]) == (2, "omp", 0.9)
    assert row["moved"] == {"mean": 2.0, "sd": pytest.approx(2**0.5)}
    assert row["distances"]["add_back"] == {"mean": 5.0, "sd": pytest.approx(18**0.5)}
    assert row["ratio"] == {"mean": 3.0, "sd": pytest.approx(2**0.5)}
    (alone,) = summarise([point(1, 2.0, 0.0)])
    assert alone["moved"] == {"mean": 1.0, "sd": None}
    assert alone["ratio"] == {"mean": None, "sd": None}


def test_a_trend_is_the_correlation_of_ranks():
    points = [
        {**point(seed, error, bound), "sparsity": sparsity, "pruner": pruner}
        for seed, error, bound, sparsity, pruner in (
            (1, 8.0, 90.0, 0.0, "none"),
            (2, 4.0, 4.0, 0.5, "omp"),
            (3, 2.0, 7.0, 0.9, "omp"),
            (4, 9.0, 1.0, 0.9, "random"),
        )
    ]
    omp, random = trends(points)
    assert (omp["pruner"], omp["n"]) == ("omp", 3)
    # Without ties: 1 - 6 Σd² / n(n² - 1), of the ranks (3, 2, 1) and (3, 1, 2).
    assert omp["bound"] == pytest.approx(1 - 6 * (0 + 1 + 1) / 24)
    assert omp["sparsity"] == pytest.approx(-1)
    assert (random["n"], random["bound"]) == (2, None)
    flat = [{**each, "pruner": "omp", "sparsity": 0.5} for each in points]
    assert trends(flat)[0]["sparsity"] is None
