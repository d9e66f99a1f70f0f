"""The transfer study: wired as by hand, judged on what it says, and refused in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.studies.small import HERE

from expunge.engines import Engine, run
from expunge.errors import ConfigError, DataError, StoreError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import spec_at
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.similarity import load_similarity
from expunge.graph.kinds.transfer import add_transfer, load_transfer
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.model_files import load_model
from expunge.graph.runtime import Runtime
from expunge.methods import get_method
from expunge.report.transfer import draw_transfer, transfer_tables
from expunge.report.wording import MISSING
from expunge.runs import Store
from expunge.scenarios.by_class_draw import drawn_classes
from expunge.studies.transfer.influence import collect_influence
from expunge.studies.transfer.removal import selected
from expunge.studies.transfer.settings import TransferClaim
from expunge.studies.transfer.study import (
    collect_transfer,
    judge_claim,
    parse_transfer,
    plan_removals,
    plan_transfer,
    summarise,
)
from expunge.training.predict import predict
from expunge.transfer.influence import class_influences
from expunge.transfer.probe import ProbeConfig, probe

RECIPE = """
title = "Tiny"
numbers = [2]
seeds = [0, 1]
[data]
source = "digits"
train_limit = 100
test_limit = 20
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
batch_size = 20
lr = 0.05
schedule = "constant"
rewind_epoch = 0
[methods.ft]
epochs = 1
[target]
source = "digits"
seed = 5
train_limit = 60
test_limit = 40
validation_fraction = 0.2
[influence]
subsets = 10
[fine_tuning]
epochs = 1
batch_size = 20
lr = 0.05
schedule = "constant"
[claim]
method = "ft"
number = 2
effect = 1.0
"""


@pytest.fixture(scope="module")
def study():
    return parse_transfer(RECIPE, "tiny")


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    """The plan, the removals and the store, with all nodes there."""
    store = Store(tmp_path_factory.mktemp("transfer") / "runs")
    graph = Graph(store)
    plan = plan_transfer(graph, study)
    run(graph, Engine(), HERE)
    ranking = collect_influence(store, plan.influence)["ranking"]
    graph = Graph(store)
    removals = plan_removals(graph, plan, ranking)
    run(graph, Engine(), HERE)
    return plan, removals, store


def penultimate(model, samples, runtime):
    """The inputs of the last layer, by a hook."""
    seen = []
    hook = model.fc.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    predict(model, samples, runtime.evaluator)
    hook.remove()
    return torch.cat(seen).double().numpy()


def target_of(plan, store, runtime):
    return runtime.dataset(store.path(plan.target_id))


def test_a_probe_is_as_by_hand(made):
    plan, _, store = made
    runtime = Runtime(HERE)
    target = target_of(plan, store, runtime)
    model_id, transfer = plan.influence.subsets[3]
    model, _, _ = load_model(store.path(model_id))
    parts = [
        penultimate(model, samples, runtime)
        for samples in (target.train, target.validation, target.test)
    ]
    found = probe(parts[0], target.train.labels.numpy(), parts[1:], ProbeConfig())
    kept = load_transfer(store.path(transfer))
    for part, samples, classes in zip(
        ("validation", "test"), (target.validation, target.test), found, strict=True
    ):
        right = (classes == samples.labels.numpy()).mean()
        assert kept["accuracy"][part] == pytest.approx(100 * right)
        assert kept["samples"][part] == len(samples)


def test_subset_models_are_without_their_classes(made):
    plan, _, store = made
    for number, (model, _) in plan.influence.subsets.items():
        forget = store.node(model).parents["forget"]
        assert store.node(model).params["method"] == "retrain"
        assert store.node(model).parents["model"] == plan.influence.model_id
        assert load_forget(store.path(forget))["classes"] == list(
            drawn_classes(plan.source.class_names, 0.5, number)
        )


def test_influences_are_of_the_validation_samples(made):
    plan, _, store = made
    found = collect_influence(store, plan.influence)
    flags = np.ones((10, 10), dtype=bool)
    accuracy = []
    for number, (_, transfer) in plan.influence.subsets.items():
        flags[number, list(drawn_classes(plan.source.class_names, 0.5, number))] = False
        accuracy.append(load_transfer(store.path(transfer))["accuracy"]["validation"])
    expected = class_influences(flags, np.array(accuracy))
    assert [each["influence"] for each in found["classes"]] == [e.influence for e in expected]
    order = sorted(range(10), key=lambda index: expected[index].influence)
    assert found["ranking"] == order
    assert found["subsets"] == 10
    assert found["similarity"]["values"] == load_similarity(
        store.path(plan.influence.similarity_id)
    )


def test_removals_are_of_the_classes_that_they_say(made):
    plan, removals, store = made
    ranking = collect_influence(store, plan.influence)["ranking"]
    by = {(each.seed, each.selection, each.number): each for each in removals}
    assert by.keys() == {
        (seed, *what)
        for seed in (0, 1)
        for what in (("nothing", 0), ("harmful", 2), ("helpful", 2), ("random", 2))
    }
    for (_, selection, _), each in by.items():
        if selection == "nothing":
            continue
        forget = store.path(store.node(each.model_id).parents["forget"])
        assert load_forget(forget)["classes"] == list(each.classes)
        if selection != "random":
            ends = ranking[:2] if selection == "harmful" else ranking[-2:]
            assert sorted(ends) == list(each.classes)
    assert by[0, "random", 2].classes != by[1, "random", 2].classes


def test_random_classes_are_nested_and_drawn_by_the_seed():
    ranking = [4, 0, 2, 1, 3, 5]
    for seed in range(5):
        sets = [set(selected(ranking, "random", number, seed)) for number in (1, 3, 5)]
        assert sets[0] < sets[1] < sets[2]
        assert selected(ranking[::-1], "random", 3, seed) == selected(ranking, "random", 3, seed)


def test_fine_tuning_trains_the_whole_network_and_leaves_the_source_model(made):
    _, removals, store = made
    each = next(one for one in removals if one.selection == "harmful")
    node = store.node(each.transfers["fine_tuning"])
    assert node.parents["model"] == each.model_id
    assert node.params["fine_tuning"]["epochs"] == 1
    found = load_transfer(store.path(each.transfers["fine_tuning"]))
    assert found["samples"] == {"validation": 287, "test": 40}
    other = next(one for one in removals if one.selection == "harmful" and one.seed != each.seed)
    assert store.node(other.transfers["fine_tuning"]).params["seed"] != node.params["seed"]


def test_the_document_says_what_was_found(made):
    plan, removals, store = made
    document = json.loads(json.dumps(collect_transfer(store, plan, removals, "expunge transfer x")))
    assert len(document["removals"]) == len(removals) == 8
    first = document["removals"][0]
    assert (
        first["accuracy"]["probe"]
        == (load_transfer(store.path(removals[0].transfers["probe"]))["accuracy"]["test"])
    )
    assert document["claim"]["verdict"] in ("holds", "does not hold", "not settled")
    assert document["claim"]["difference"]["n"] == 2
    tables = transfer_tables(document)
    assert [table.title for table in tables] == [
        "Influence of 10 classes of digits on digits",
        "Accuracy on digits in %, dense",
    ]
    assert any("harmful" in note for note in tables[0].notes)
    assert any(note.startswith("Claim: forgetting the 2 most harmful") for note in tables[1].notes)
    assert [drawing.name for drawing in draw_transfer(document)] == [
        "transfer-influence",
        "transfer-accuracy",
    ]


def test_equal_accuracies_have_no_order_and_no_bounds_and_are_shown(made, monkeypatch):
    plan, removals, store = made

    def load(folder):
        equal = {"validation": 50.0, "test": 40.0}
        return load_transfer(folder) | {"accuracy": equal}

    monkeypatch.setattr("expunge.studies.transfer.influence.load_transfer", load)
    document = collect_transfer(store, plan, removals, "expunge transfer x")
    assert document["influence"]["on_test"] is None
    for each in document["influence"]["classes"]:
        each["low"] = each["high"] = None
    json.dumps(document, allow_nan=False)
    (first, *_), notes = transfer_tables(document)[0].rows, transfer_tables(document)[0].notes
    assert first[1:3] == ["+0.00", MISSING]
    assert any(note.endswith(f"validation and test samples with {MISSING}.") for note in notes)
    draw_transfer(document)


def row(selection, seed, accuracy, number=2, method="ft"):
    return {
        "pruner": "none",
        "sparsity": 0.0,
        "selection": selection,
        "number": number,
        "method": method,
        "seed": seed,
        "accuracy": {"probe": accuracy},
    }


ROWS = [
    *(row("nothing", seed, 50.0 + seed, 0, "original") for seed in range(3)),
    *(row("harmful", seed, 53.0 + seed + 0.1 * seed**2) for seed in range(3)),
    *(row("random", seed, 49.0 - seed) for seed in range(3)),
]


def test_gains_are_paired_with_the_same_source_model():
    by = {each["selection"]: each for each in summarise(ROWS)}
    assert by["nothing"]["gain"] is None
    assert by["harmful"]["n"] == 3
    differences = np.array([3.0, 3.1, 3.4])
    gain = by["harmful"]["gain"]
    assert gain["estimate"] == pytest.approx(differences.mean())
    reach = 4.302653 * differences.std(ddof=1) / np.sqrt(3)
    assert (gain["low"], gain["high"]) == pytest.approx(
        (differences.mean() - reach, differences.mean() + reach), rel=1e-6
    )


@pytest.mark.parametrize(
    ("against", "effect", "verdict"),
    [("nothing", 1, "holds"), ("nothing", 9, "does not hold"), ("random", 1, "holds")],
)
def test_a_claim_is_judged_by_the_interval_of_the_difference(against, effect, verdict):
    claim = TransferClaim(method="ft", number=2, effect=effect, against=against)
    assert judge_claim(claim, ROWS)["verdict"] == verdict


def test_a_claim_with_one_seed_is_not_settled():
    claim = TransferClaim(method="ft", number=2, effect=1)
    found = judge_claim(claim, [each for each in ROWS if each["seed"] == 0])
    assert (found["verdict"], found["difference"]) == ("not settled", None)


def test_a_model_that_diverged_has_the_reason_in_place_of_an_accuracy(made):
    plan, _, store = made
    graph = Graph(store)
    base = plan.bases[0][1].model_id
    forget = add_forget(graph, base, "class:1", facts=plan.source)
    config = get_method("ft").config(epochs=1, lr=1e30)
    model = add_unlearn(graph, base, forget, "ft", config)
    ways = [add_transfer(graph, model, plan.target_id, way) for way in plan.study.ways.values()]
    wild = add_transfer(graph, base, plan.target_id, replace(plan.study.fine_tuning, lr=1e30))
    run(graph, Engine(), HERE)
    for node in (*ways, wild):
        assert load_transfer(store.path(node))["diverged"].startswith("diverged: ")


def test_subset_models_that_diverged_are_left_out_and_counted(made, monkeypatch):
    plan, _, store = made
    _, gone = plan.influence.subsets[0]

    def load(folder):
        return {"diverged": "x"} if folder.name == gone else load_transfer(folder)

    monkeypatch.setattr("expunge.studies.transfer.influence.load_transfer", load)
    found = collect_influence(store, plan.influence)
    assert (found["subsets"], found["diverged"]) == (9, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("numbers = [2]", "numbers = [10]", "expected 1 to 9 of 10 source classes to forget"),
        ("numbers = [2]", "numbers = [0]", "expected 1 to 9 of 10 source classes to forget, got 0"),
        ("numbers = [2]", "numbers = [2, 2]", r"different numbers of classes, got \[2, 2\]"),
        ("subsets = 10", "subsets = 9", "9 subset models are fewer than the 10 source classes"),
        ("validation_fraction = 0.2", "", "digits has no validation samples"),
        ("number = 2\n", "number = 3\n", r"a number of classes among \[2\], got 3"),
        ('method = "ft"', 'method = "ga"', "unknown method 'ga'"),
        ('method = "ft"', 'method = "ft"\nsparsity = 0.9', "among none at 0, got none at 0.9"),
        ('method = "ft"', 'method = "ft"\npruner = "omp"', "among none at 0, got omp at 0"),
    ],
)
def test_what_does_not_fit_the_data_is_one_line_before_any_work(tmp_path, old, new, message):
    study = parse_transfer(RECIPE.replace(old, new), "tiny")
    store = Store(tmp_path / "runs")
    with pytest.raises((ConfigError, DataError), match=message):
        plan_transfer(Graph(store), study)
    assert not store.ids()


def test_a_source_model_that_generates_is_refused_before_the_work(tmp_path):
    text = RECIPE.replace('name = "resnet8"\nwidth = 0.25', 'name = "unet"')
    with pytest.raises(ConfigError, match="transfer is for models of the task classify"):
        plan_transfer(Graph(Store(tmp_path / "runs")), parse_transfer(text, "tiny"))


def test_a_claim_by_fine_tuning_needs_fine_tuning(tmp_path):
    study = parse_transfer(RECIPE + 'how = "fine_tuning"\n', "tiny")
    plan_transfer(Graph(Store(tmp_path / "runs")), study)
    with pytest.raises(ConfigError, match=r"does not measure by fine_tuning: add a table"):
        plan_transfer(Graph(Store(tmp_path / "runs")), replace(study, fine_tuning=None))


def test_a_target_of_another_size_is_refused(tmp_path):
    text = RECIPE.replace("seed = 5", "seed = 5\nimage_size = 6")
    with pytest.raises(
        DataError, match=r"\(1, 8, 8\), the target .* \(1, 6, 6\): expected the same"
    ):
        plan_transfer(Graph(Store(tmp_path / "runs")), parse_transfer(text, "tiny"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[target]", "[targets]", "target is missing"),
        ("numbers = [2]", "numbers = 2", "numbers must be a list"),
        ("numbers = [2]", 'numbers = [2]\nscenarios = ["class:1"]', "scenarios is not for"),
        ("numbers = [2]", "numbers = [2]\nretrain_again = true", "retrain_again is not for"),
        ("numbers = [2]", 'numbers = [2]\nmetrics = ["ua"]', "metrics is not for a transfer"),
        ("[methods.ft]", "[methods.ft]\nsparsities = [0.0]", "every sparsity: take out sparsities"),
        (
            "[methods.ft]",
            "[methods.a]\nmethod = 'ft'",
            "methods.a: .* by its name: take out method",
        ),
        ("subsets = 10", "subset = 10", "influence: unknown setting 'subset'"),
        ("effect = 1.0", "effect = 0.0", "effect must be above 0"),
        ("effect = 1.0", 'effect = 1.0\nhow = "guess"', "how must be one of probe, fine_tuning"),
        ("subsets = 10", "subsets = 10\nshare = 1.0", "share must be between 0 and 1"),
    ],
)
def test_recipes_that_say_no_study_are_one_line(old, new, message):
    with pytest.raises(ConfigError, match=message):
        parse_transfer(RECIPE.replace(old, new), "tiny")


def test_the_source_data_are_those_of_the_recipe(made):
    plan, _, store = made
    node = store.node(plan.target_id)
    assert spec_at(node.where).seed == 5
    assert plan.source.name == "digits"
    with pytest.raises(StoreError):
        store.node("transfer-none")
