"""The comparison of pruners over a tiny grid: wiring of seeds and forget sets, and numbers."""

import math

import pytest
import torch
from tests.studies.small import HERE

from expunge.engines import Engine, run
from expunge.errors import ConfigError, ForgetError
from expunge.graph.graph import Graph
from expunge.graph.kinds.predict import load_predictions
from expunge.graph.kinds.train import REWIND, in_order
from expunge.graph.lineage import forgotten_by
from expunge.graph.model_files import load_model
from expunge.graph.record import load_record
from expunge.graph.runtime import Runtime, read_facts
from expunge.models.weights import read_tensors
from expunge.runs import Store
from expunge.studies.contrasts import judged
from expunge.studies.pruning import collect_pruning, judge_claim, plan_pruning, summarise
from expunge.studies.pruning_recipe import parse_pruning, read_pruning
from expunge.studies.shipped import shipped
from expunge.types import Context

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
seeds = [5]
[data]
source = "digits"
train_limit = 80
test_limit = 40
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
batch_size = 20
rewind_epoch = 0
[pruners.omp]
sparsity = 0.5
[pruners.synflow]
sparsity = 0.5
rounds = 5
[pruners.random]
sparsity = 0.5
[methods.retrain]
[pruning]
order = 2
"""
CLAIM = """
[[pruning.claims]]
name = "SynFlow's masks are equal"
measure = "jaccard"
first = { pruner = "synflow", sparsity = 0.5 }
second = { pruner = "synflow", sparsity = 0.5, against = "itself" }
direction = "within"
effect = 0.001
"""
RECIPE += CLAIM


@pytest.fixture(scope="module")
def study():
    return parse_pruning(RECIPE, "tiny")


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    graph = Graph(Store(tmp_path_factory.mktemp("pruning") / "runs"))
    sparse = plan_pruning(graph, *study)
    run(graph, Engine(), HERE)
    return graph, sparse


@pytest.fixture(scope="module")
def document(study, made):
    graph, sparse = made
    return collect_pruning(graph.store, *study, sparse, "expunge pruning tiny.toml")


def of(sparse, pruner):
    return next(each for each in sparse if each.pruner == pruner)


def test_each_mask_is_of_its_own_training_samples(made):
    graph, sparse = made
    path, omp = graph.store.path, of(sparse, "omp")
    facts = read_facts(path(graph.data_of(omp.dense_id)))
    threes = {
        name for name, label in zip(facts.train.ids, facts.train.labels, strict=True) if label == 3
    }
    assert forgotten_by(path(omp.model_id)) == ()
    assert forgotten_by(path(omp.others["class:3", "order"])) == ()
    assert set(forgotten_by(path(omp.others["class:3", "forget"]))) == threes
    by_lot = set(forgotten_by(path(omp.others["class:3", "random"])))
    assert len(by_lot) == len(threes)
    assert by_lot != threes


def test_all_trainings_begin_with_the_same_weights_and_one_draws_another_order(made):
    graph, sparse = made
    omp = of(sparse, "omp")
    params = {
        against: graph.node(graph.origin_of(model)).params
        for (_, against), model in omp.others.items()
    }
    plain = graph.node(omp.dense_id).params
    assert params["forget"] == params["random"] == plain
    assert params["order"] == {**plain, "order": 2}
    path = graph.store.path
    starts = [
        load_start(path(graph.origin_of(model))) for model in (omp.dense_id, *omp.others.values())
    ]
    for start in starts[1:]:
        assert all(torch.equal(start[name], each) for name, each in starts[0].items())
    ends = [load_model(path(graph.origin_of(model)))[0] for model in omp.others.values()]
    assert len({float(model.fc.weight.detach().sum()) for model in ends}) == 3


def load_start(folder):
    """The weights of epoch 0, to which pruning rewinds."""
    found = read_tensors(folder / REWIND)
    return {name: each for name, each in found.items() if "running" not in name}


def test_another_order_has_the_same_new_network_and_other_draws():
    def rebuild(seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed % 2**31)
            return torch.nn.Linear(2, 2)

    context = Context(fabric=Runtime(HERE).evaluator, seed=3, rebuild=rebuild)
    other = in_order(context, 1)
    assert torch.equal(other.fresh_model().weight, context.fresh_model().weight)
    draws = [torch.rand(3, generator=each.generator("order")) for each in (context, other)]
    assert not torch.equal(*draws)
    assert in_order(context, 0) is context


def test_overlaps_are_those_of_the_masks(made, document):
    graph, sparse = made
    omp = of(sparse, "omp")
    mask = load_model(graph.store.path(omp.model_id))[2]
    for row in (each for each in document["overlaps"] if each["pruner"] == "omp"):
        other = load_model(graph.store.path(omp.others["class:3", row["against"]]))[2]
        ours, theirs = (
            {
                (name, i)
                for name, kept in each.items()
                for i in kept.flatten().nonzero()[:, 0].tolist()
            }
            for each in (mask, other)
        )
        assert row["jaccard"] == pytest.approx(len(ours & theirs) / len(ours | theirs))
        assert row["kept"] == pytest.approx(len(ours & theirs) / len(ours))
        assert 0 < row["jaccard"] < 1


def test_synflow_finds_the_same_mask_whatever_it_is_trained_on(document):
    rows = [row for row in document["overlaps"] if row["pruner"] == "synflow"]
    assert [row["jaccard"] for row in rows] == [1.0] * 3


def test_what_a_pruner_draws_is_drawn_anew_with_the_order(document):
    rows = [row for row in document["overlaps"] if row["pruner"] == "random"]
    shared = {row["against"]: row["jaccard"] for row in rows}
    assert shared["forget"] == shared["random"] == 1.0
    assert shared["order"] == pytest.approx(1 / 3, abs=0.05)


def test_a_class_by_seed_is_the_class_of_the_seed(tmp_path):
    study = parse_pruning(RECIPE.replace("class:3", "class:seed"), "tiny")
    graph = Graph(Store(tmp_path / "runs"))
    (omp, *_) = plan_pruning(graph, *study)
    without = graph.node(graph.origin_of(omp.others["class:seed", "forget"])).parents["forget"]
    assert graph.node(without).where["scenario"] == "class:5"


@pytest.mark.parametrize("name", ["pruners-digits", "pruners-cifar10"])
def test_the_shipped_comparisons_are_some(name):
    experiment, settings = read_pruning(shipped()[name])
    assert experiment.recipe.name == name
    assert len(settings.claims) == 3


def test_cost_and_accuracy_are_against_the_dense_model(made, document):
    graph, sparse = made
    (row,) = (each for each in document["pruned"] if each["pruner"] == "omp")
    omp, path = of(sparse, "omp"), graph.store.path
    seconds = [load_record(path(each))["seconds"] for each in (omp.model_id, omp.dense_id)]
    assert row["cost"] == seconds[0] / seconds[1]
    right = {}
    for name, node in (("sparse", omp.test), ("dense", omp.dense_test)):
        found = load_predictions(path(node))
        right[name] = 100 * float((found["logits"].argmax(1) == found["labels"]).mean())
    assert row["accuracy"] == pytest.approx(right["sparse"] - right["dense"])


def test_one_seed_settles_nothing(document):
    (claim,) = document["claims"]
    assert claim["verdict"] == "not settled"
    assert claim["n"] == 0


def level(seed, **changes):
    return {
        "seed": seed,
        "pruner": "synflow",
        "sparsity": 0.5,
        "scenario": "class:3",
        "against": "forget",
        "failed": None,
        "rounds": 1,
        "cost": 1.0 + seed,
        "accuracy": -seed,
        **changes,
    }


def test_claims_and_summaries_are_over_seeds(study):
    shares = {"kept": 1.0, "chance": 0.5, "chance_by_layer": 0.6}
    rows = [level(seed) for seed in range(3)]
    overlaps = [level(seed, jaccard=1.0, **shares) for seed in range(3)]
    (claim,) = study[1].claims
    assert judge_claim(claim, rows, overlaps)["verdict"] == "holds"
    overlaps[1]["jaccard"] = 0.5
    assert judge_claim(claim, rows, overlaps)["verdict"] == "not settled"
    (summary,) = summarise([*rows, level(3, failed="empty", cost=None, accuracy=None)], overlaps)
    assert (summary["n"], summary["failed"]) == (3, 1)
    assert summary["cost"] == {"mean": 2.0, "sd": 1.0}
    assert summary["overlaps"][0]["jaccard"]["mean"] == pytest.approx(2.5 / 3)


def test_costs_are_compared_by_factors():
    slow, fast = {0: 10.0, 1: 12.0, 2: 14.0}, {0: 1.0, 1: 1.1, 2: 1.2}
    found = judged(slow, fast, "higher", 5.0, as_factor=True)
    logs = [math.log(slow[seed] / fast[seed]) for seed in slow]
    assert found["difference"] == pytest.approx(math.exp(sum(logs) / 3))
    assert found["low"] < found["difference"] < found["high"]
    assert found["verdict"] == "holds"
    assert judged(slow, fast, "higher", 50.0, as_factor=True)["verdict"] == "does not hold"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[pruning]\norder = 2", "[attribution]", r"expected a table \[pruning\]"),
        ("order = 2", "ordre = 2", "ordre"),
        ("order = 2", "order = 0", "order"),
        ('first = { pruner = "synflow"', 'first = { pruner = "imp"', "imp"),
        ("sparsity = 0.5 }", "sparsity = 0.9 }", "0.9"),
        ('measure = "jaccard"', 'measure = "cost"', "a factor above 1"),
        ('against = "itself"', 'against = "forget"', "both sides are the same"),
        ('scenarios = ["class:3"]', 'scenarios = ["class:3", "class:4"]', "expected scenario"),
        ("[[pruning.claims]]", CLAIM + "[[pruning.claims]]", 'masks are equal" is there twice'),
        ("[[pruning.claims]]", "[pruning.claims]", "pruning.claims must be tables, each under"),
        ('first = { pruner = "synflow", sparsity = 0.5 }', "first = 3", "first must be a table"),
    ],
)
def test_what_does_not_fit_is_refused(old, new, message):
    assert old in RECIPE
    text = RECIPE.replace(old, new)
    if new == "[attribution]":
        text = text[: text.index("[attribution]")]
    with pytest.raises(ConfigError, match=message):
        parse_pruning(text, "tiny")


def test_a_forget_set_that_is_not_known_beforehand_is_refused(tmp_path):
    study = parse_pruning(RECIPE.replace("class:3", "suspected:activation_clustering"), "tiny")
    with pytest.raises(ForgetError, match="not known before models are made"):
        plan_pruning(Graph(Store(tmp_path / "runs")), *study)
