"""The theorem's quantities over a tiny grid: made once, and refused where they do not apply."""

import pkgutil
import re
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from tests.studies.small import HERE

from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.sources import load
from expunge.engines import Engine, run
from expunge.engines.watch import Watch
from expunge.errors import ConfigError, DivergedError, ModelError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.path import START, add_path, load_facts, load_path
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.sharpness import add_sharpness
from expunge.graph.kinds.theorem import add_theorem
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.model_files import WEIGHTS, load_model
from expunge.graph.runtime import Runtime, read_facts
from expunge.methods import get_method
from expunge.models.weights import read_tensors
from expunge.runs import Store
from expunge.settings import derive_seed
from expunge.sparsity import get_pruner
from expunge.studies.recipe import parse_experiment
from expunge.studies.theory import collect_theory, plan_theory, summarise, trends
from expunge.theory.config import HessianConfig
from expunge.theory.paths import add_back, path_batches, walk
from expunge.types import Context, Split

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


class Bench:
    """A store, and what was made of what was added."""

    def __init__(self, store):
        self.store = store
        self.runtime = Runtime(HERE)
        self.made = []

    def _announce(self, node_id, label, seconds):
        if seconds is not None:
            self.made.append(node_id)

    def run(self, graph):
        run(graph, Engine(), HERE, Watch(announce=self._announce), self.runtime)

    def make(self, add, *words):
        graph = Graph(self.store)
        node_id = add(graph, *words)
        self.run(graph)
        return node_id

    def train(self, origin, spec):
        def add(graph):
            facts = resolve(spec, default_cache())
            return add_train(graph, add_data(graph, spec, facts), origin)

        return self.make(add)

    def forget(self, graph, model, scenario):
        facts = read_facts(self.store.path(graph.data_of(model)))
        return add_forget(graph, model, scenario, facts=facts)

    def unlearn(self, model, method, **settings):
        config = get_method(method).config(**settings)
        return self.make(
            lambda graph: add_unlearn(
                graph, model, self.forget(graph, model, "class:3"), method, config
            )
        )

    def facts(self, add, *words):
        return load_facts(self.store.path(self.make(add, *words)))

    def tensors(self, run_id, name):
        return read_tensors(self.store.path(run_id) / name)


@pytest.fixture
def bench(store):
    return Bench(store)


@pytest.fixture
def origin(experiment):
    return Origin(network=experiment.network, training=experiment.training, seed=0)


@pytest.fixture
def base(bench, origin, experiment):
    return bench.train(origin, experiment.data)


def theory(bench, experiment, reproduce="expunge theory tiny.toml"):
    graph = Graph(bench.store)
    points = plan_theory(graph, experiment, QUICK)
    bench.run(graph)
    return collect_theory(bench.store, experiment, QUICK, points, reproduce)


def test_a_curve_and_its_continuation(bench, experiment):
    first = theory(bench, experiment)
    assert bench.made
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
        assert point["made_by"] == 0
    # Each point is of its own path.
    assert points[0]["moved"] != points[1]["moved"]
    assert points[0]["distances"] != points[1]["distances"]
    bench.made.clear()
    assert theory(bench, experiment) == first
    assert bench.made == []


def test_a_method_that_diverges_has_no_distance(bench, experiment):
    wild = replace(experiment, methods={**experiment.methods, "ga": {"lr": 1e30}})
    document = theory(bench, wild)
    assert document["diverged"] == []
    for point in document["points"]:
        assert point["distances"]["ga"] is None
        assert "finite" in point["diverged"]["ga"]
        assert point["distances"]["ft"] > 0
    for row in document["summary"]:
        assert row["distances"]["ga"] == {"mean": None, "sd": None}
        assert row["distances"]["ft"]["mean"] > 0


@pytest.mark.parametrize("broken", ["walk", "largest_singular_value"])
def test_a_path_that_diverges_leaves_the_others(broken, bench, experiment, monkeypatch):
    """Of two masks one diverges: it is named with its reason, and the other is measured."""
    module = "paths" if broken == "walk" else "hessian"
    place = f"expunge.theory.{module}.{broken}"
    real = pkgutil.resolve_name(place)

    def sometimes(*words, **named):
        if any(isinstance(each, Context) and each.mask is not None for each in words):
            raise DivergedError("conv1.weight is no longer finite")
        return real(*words, **named)

    monkeypatch.setattr(place, sometimes)
    other = replace(experiment, seeds=(7 if broken == "walk" else 8,))
    document = theory(bench, other)
    assert [point["pruner"] for point in document["points"]] == ["none"]
    (gone,) = document["diverged"]
    assert (gone["pruner"], gone["sparsity"], gone["scenario"]) == ("omp", 0.5, "class:3")
    assert "conv1.weight is no longer finite" in gone["reason"]
    assert [(row["pruner"], row["n"]) for row in document["summary"]] == [("none", 1)]
    if broken == "walk":
        (sparse,) = (
            each for each in plan_theory(Graph(bench.store), other, QUICK) if each.base.sparsity
        )
        for part in (sparse.sharpness_id, sparse.theorem_id):
            with pytest.raises(DivergedError, match=re.escape(gone["reason"])):
                load_facts(bench.store.path(part))
    # What has diverged is known, and is not made again.
    bench.made.clear()
    assert theory(bench, other) == document
    assert bench.made == []


def test_nothing_measured_is_an_error(bench, experiment, monkeypatch):
    def diverges(*words, **named):
        raise DivergedError("conv1.weight is no longer finite")

    monkeypatch.setattr("expunge.theory.paths.walk", diverges)
    with pytest.raises(DivergedError, match="nothing could be measured: diverged: sgd_path"):
        theory(bench, replace(experiment, seeds=(9,)))


def test_a_path_keeps_its_mask_and_its_start(bench, base):
    config = get_pruner("omp").config(sparsity=0.5)
    sparse = bench.make(add_prune, base, "omp", config)
    path = bench.make(add_path, sparse)
    _, _, mask = load_model(bench.store.path(path))
    start, end = bench.tensors(path, START), bench.tensors(path, WEIGHTS)
    dense = bench.tensors(bench.make(add_path, base), START)
    for name, kept in mask.items():
        assert not start[name][~kept].any()
        assert not end[name][~kept].any()
        # One initialisation, whatever is pruned of it.
        assert torch.equal(start[name][kept], dense[name][kept])
    moved = sum(float((end[n] - start[n]).double().square().sum()) for n in end if "num" not in n)
    facts = bench.facts(add_sharpness, path, QUICK)
    assert facts["moved"] == pytest.approx(moved**0.5, rel=1e-5)


def test_a_path_begins_where_a_pruner_of_new_networks_did(bench, base):
    config = get_pruner("synflow").config(sparsity=0.3, rounds=3)
    sparse = bench.make(add_prune, base, "synflow", config)
    path = bench.make(add_path, sparse)
    start = bench.tensors(path, START)
    of_base = bench.tensors(bench.make(add_path, base), START)
    assert not torch.equal(start["fc.weight"], of_base["fc.weight"])
    moved = bench.facts(add_sharpness, sparse, QUICK)
    trained = bench.tensors(sparse, WEIGHTS)
    _, _, mask = load_model(bench.store.path(path))
    distance = sum(
        float((trained[n] - start[n]).double().square().sum())
        for n in start
        if n in mask or n.startswith(("fc", "bn")) or ".bn" in n
        if "running" not in n and "num" not in n
    )
    assert moved["moved"] == pytest.approx(distance**0.5, rel=1e-4)


def test_any_run_has_a_start(bench, base):
    tuned = bench.unlearn(base, "ft", epochs=1)
    fresh = bench.unlearn(base, "retrain")
    facts = {run: bench.facts(add_sharpness, run, QUICK) for run in (base, tuned, fresh)}
    assert facts[base]["departures"] == []
    assert facts[tuned]["departures"] == ["further training by unlearn, which t does not count"]
    # Small steps: what began where it is measured from has moved little.
    assert all(0 < fact["moved"] < 5 for fact in facts.values())
    starts = {
        run: bench.store.node(bench.make(add_sharpness, run, QUICK)).params["start"]
        for run in facts
    }
    assert starts == {base: "original", tuned: "original", fresh: "unlearn"}
    # Both are of the retained samples, at different initialisations.
    assert facts[tuned]["sigma_start"] != facts[fresh]["sigma_start"]


def test_what_is_planned_again_is_the_same_by_its_parents(bench, base, experiment):
    """The theorem's node stands between the path and its own data, training and forget set."""
    path = bench.make(add_path, base)
    graph = Graph(bench.store)
    forget = bench.forget(graph, path, "class:3")
    theorem = add_theorem(graph, path, forget, {"ft": get_method("ft").config(epochs=1)})
    assert graph.node(theorem).parents == {
        "model": path,
        "data": graph.data_of(base),
        "origin": base,
        "forget": forget,
    }


@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_distances_are_those_of_the_same_walks_by_hand(bench, base, experiment, sparsity):
    """Same start, same batches, without the forget set; a method draws by its own seed."""
    model = base
    if sparsity:
        config = get_pruner("omp").config(sparsity=sparsity)
        model = bench.make(add_prune, base, "omp", config)
    path = bench.make(add_path, model)
    # Several batches, so that their order counts.
    settings = get_method("ft").config(epochs=1, batch_size=10)

    def add(graph):
        return add_theorem(graph, path, bench.forget(graph, path, "class:3"), {"ft": settings})

    found = bench.facts(add)["distances"]
    train = load(experiment.data).train
    forget = torch.nonzero(train.labels == 3).flatten()
    end, start, mask = load_path(bench.store.path(path))
    recipe = experiment.training
    context = Context(
        fabric=Fabric(accelerator="cpu", devices=1),
        seed=0,
        mask=mask,
        training=recipe,
        augmentation=recipe.augmentation,
    )
    batches = path_batches(len(train), recipe, context)
    _, retrained, _ = load_path(bench.store.path(path))
    walk(retrained, train, batches, recipe.lr, context, without=forget)
    split = Split(train=train, forget=forget, scenario="class:3", classes=(3,))
    tuned = get_method("ft").run(
        end, split, settings, replace(context, seed=derive_seed(0, "unlearn"))
    )
    back = add_back(end, start, train, batches, recipe.lr, forget, context)

    def distance(model):
        pairs = zip(model.parameters(), retrained.parameters(), strict=True)
        return sum(float((a - b).detach().double().square().sum()) for a, b in pairs) ** 0.5

    assert found["original"] == pytest.approx(distance(end), rel=1e-6)
    assert found["add_back"] == pytest.approx(distance(back), rel=1e-6)
    assert found["ft"] == pytest.approx(distance(tuned), rel=1e-6)


def test_what_the_theorem_does_not_speak_of_is_refused(bench, experiment, origin, base, tmp_path):
    heavy = replace(experiment, training=replace(experiment.training, momentum=0.9))
    with pytest.raises(ConfigError, match=r"momentum 0\.9 instead of 0"):
        theory(bench, heavy)
    with pytest.raises(ConfigError, match="leave it out of the recipe"):
        theory(bench, replace(experiment, methods={"retrain": {}}))
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes((bench.store.path(base) / WEIGHTS).read_bytes())
    # So few epochs teach it nothing, and this test is not about that.
    given = replace(origin, weights=str(weights), expect_accuracy=0.0)
    adopted = bench.train(given, experiment.data)
    with pytest.raises(ModelError, match=r"adopted weights \(mine\.safetensors\)"):
        bench.make(add_sharpness, adopted, QUICK)
    sharpness = bench.make(add_sharpness, base, QUICK)
    with pytest.raises(ConfigError, match="is not a model"):
        bench.make(add_sharpness, sharpness, QUICK)


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
