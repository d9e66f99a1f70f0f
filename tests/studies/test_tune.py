"""Whole searches on a small model: what they see, what they keep, how they end."""

import builtins
import json
import tomllib
from dataclasses import replace

import pytest
from tests.studies.small import HERE

from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.errors import ConfigError, DivergedError, StoreError
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.runtime import Runtime
from expunge.methods import get_method
from expunge.methods.method import Range
from expunge.metrics.gap import gap
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training
from expunge.studies.grid import collect_cells, plan_grid
from expunge.studies.made import Makers
from expunge.studies.recipe import Experiment
from expunge.studies.tuning.objectives import Bench, Case, add_case, measured
from expunge.studies.tuning.outlook import outlook
from expunge.studies.tuning.settings import Tuning
from expunge.studies.tuning.space import space_of
from expunge.studies.tuning.tune import as_toml, tune

DATA = DataSpec(source="digits", train_limit=200, test_limit=100, validation_fraction=0.2)
ORIGIN = Origin(
    network=NetworkSettings(name="resnet8", width=0.25),
    training=Training(epochs=2, batch_size=50, rewind_epoch=1),
)
GA = space_of(get_method("ga"), {}, {"epochs": 2, "batch_size": 10})
BOTH = pytest.mark.parametrize("objective", ["oracle", "no_oracle"])


def bench_in(folder):
    runtime = Runtime(HERE)
    return Bench(Store(folder), lambda graph: run(graph, Engine(), HERE, runtime=runtime))


def trained(bench, data=DATA):
    graph = bench.graph()
    data_id = add_data(graph, data, resolve(data, default_cache()))
    run_id = add_train(graph, data_id, ORIGIN)
    bench.run(graph)
    return run_id


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return bench_in(tmp_path_factory.mktemp("store") / "runs")


@pytest.fixture(scope="module")
def original(bench):
    return trained(bench)


@pytest.fixture
def search(bench, original, tmp_path):
    """Run a search: its document, as it is returned and written."""

    def search(scenario="class:3", space=GA, run=original, out="tune.json", tell=None, **settings):
        tuning = Tuning(**{"trials": 3, **settings})
        path = tmp_path / out
        tell = tell or (lambda trial: None)
        document = tune(bench, Case(run, scenario), space, tuning, path, tell)
        assert json.loads(path.read_text()) == document
        return document

    return search


def tried(document):
    keys = ("searched", "value", "terms", "state")
    return [{key: trial.get(key) for key in keys} for trial in document["trials"]]


@BOTH
def test_the_best_has_the_smallest_value_and_every_trial_says_what_it_was_chosen_by(
    search, objective
):
    document = search(objective=objective)
    values = [trial["value"] for trial in document["trials"]]
    assert document["best"]["value"] == min(values)
    assert document["best"] in document["trials"]
    assert {trial["chosen_by"] for trial in document["trials"]} == {objective}
    assert document["trials"][0]["searched"] == {"lr": get_method("ga").config().lr}
    for trial in document["trials"]:
        assert {"ua", "ra", "ta", "mia_efficacy"} <= set(trial["metrics"])
        assert trial["config"]["epochs"] == 2
        assert trial["rte_s"] > 0
    assert document["samples"] == {"train": 200, "forget": 20, "validation": 287, "test": 100}
    assert document["env"]["packages"]["optuna"]


@BOTH
def test_the_same_seed_tries_the_same_and_finds_it_in_the_store(search, bench, objective):
    first = search(objective=objective)
    before = bench.store.ids()
    again = search(objective=objective, trials=2)
    assert bench.store.ids() == before
    assert tried(again) == tried(first)[:2]
    other = search(objective=objective, seed=1, out="other.json")
    assert tried(other)[1:] != tried(first)[1:]


def test_the_oracle_is_the_mean_gap_to_a_model_that_was_retrained(search, bench, original):
    document = search("random:0.1", objective="oracle", trials=2)
    case = Case(original, "random:0.1")
    graph = bench.graph()
    config = get_method("retrain").config()
    retrained = add_unlearn(graph, original, add_case(graph, case), "retrain", config)
    assert document["reference"]["run"] == retrained
    assert bench.store.has(retrained)
    for trial in document["trials"]:
        found = [measured(bench, case, model, None) for model in (trial["run"], retrained)]
        assert trial["value"] == pytest.approx(gap(*found)["avg"])


@pytest.mark.parametrize("scenario", ["class:3", "random:0.1"])
def test_without_an_oracle_nothing_is_retrained_and_test_data_does_not_matter(tmp_path, scenario):
    """Twice the same but for the test set, each in a store of its own."""
    found = []
    for limit in (40, 90):
        bench = bench_in(tmp_path / f"runs{limit}")
        original = trained(bench, replace(DATA, test_limit=limit))
        out = tmp_path / f"{limit}.json"
        tuning = Tuning(trials=2)
        document = tune(bench, Case(original, scenario), GA, tuning, out, lambda trial: None)
        made = [bench.store.node(each) for each in bench.store.ids()]
        assert {node.params["method"] for node in made if node.kind == "unlearn"} == {"ga"}
        assert document["reference"] is None
        found.append(document)
    assert found[0]["samples"] != found[1]["samples"]
    assert tried(found[0]) == tried(found[1])


def test_what_is_lost_within_the_budget_is_free(search):
    space = space_of(get_method("ga"), {"lr": Range(0.01, 0.1, log=True)}, {"batch_size": 10})
    strict = search(space=space, budget=0.0, trials=1)
    lenient = search(space=space, budget=100.0, trials=1, out="lenient.json")
    ((hard,), (soft,)) = strict["trials"], lenient["trials"]
    assert hard["searched"] == soft["searched"]
    before = strict["before"]["terms"]
    lost = sum(max(0, before[name] - hard["terms"][name]) for name in ("ra", "va"))
    assert lost > 1
    assert hard["value"] == pytest.approx(soft["value"] + lost)
    assert soft["value"] == soft["terms"]["remembered"]


def test_a_trial_that_diverges_is_recorded_and_the_others_go_on(search):
    space = space_of(
        get_method("ga"), {"lr": Range(1e-4, 1e30, log=True)}, {"epochs": 5, "batch_size": 10}
    )
    document = search(space=space, trials=6)
    states = [trial["state"] for trial in document["trials"]]
    assert set(states) == {"complete", "diverged"}
    assert document["best"]["state"] == "complete"
    for trial in document["trials"]:
        assert (trial["value"] is None) == (trial["state"] == "diverged")
        assert trial["state"] == "complete" or "finite" in trial["reason"]
    assert tried(search(space=space, trials=6)) == tried(document)


def test_where_all_diverge_the_last_reason_is_given_and_all_are_recorded(search, tmp_path):
    space = space_of(get_method("ga"), {"lr": Range(1e25, 1e30)}, {"epochs": 5, "batch_size": 10})
    with pytest.raises(DivergedError, match=r"all 2 trials diverged.*--range.*finite"):
        search(space=space, trials=2)
    document = json.loads((tmp_path / "tune.json").read_text())
    assert len(document["trials"]) == 2
    assert document["best"] is None


def test_an_interruption_keeps_the_trials_before_it(search, tmp_path):
    class Interrupted(BaseException):
        pass

    def interrupt(trial):
        if trial["trial"] == 1:
            raise Interrupted

    whole = search(out="whole.json")
    with pytest.raises(Interrupted):
        search(tell=interrupt)
    document = json.loads((tmp_path / "tune.json").read_text())
    assert tried(document) == tried(whole)[:2]
    assert tried(search()) == tried(whole)


def test_another_search_or_file_is_not_written_over(search, tmp_path):
    search(trials=1)
    with pytest.raises(StoreError, match=r"another search .scenario: 'class:3' there, 'class:4'"):
        search("class:4", trials=1)
    (tmp_path / "results.json").write_text('{"cells": []}')
    with pytest.raises(StoreError, match="something other than a search: choose another --out"):
        search(out="results.json")


def test_what_cannot_be_chosen_is_refused(search, bench):
    bare = trained(bench, replace(DATA, validation_fraction=0.0))
    with pytest.raises(ConfigError, match=r"needs validation data.*--validation-fraction 0\.1"):
        search(run=bare)
    done = search(trials=1, out="done.json")["best"]["run"]
    with pytest.raises(ConfigError, match="is not a model to unlearn from: expected a run of kind"):
        search(run=done)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "orcle"}, r"unknown objective 'orcle'.*did you mean 'oracle'"),
        ({"trials": 0}, "trials must be"),
        ({"budget": -1.0}, "budget must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_impossible_searches_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Tuning(**settings)


def test_without_optuna_the_extra_is_named(search, monkeypatch):
    there = builtins.__import__

    def without_optuna(name, *rest):
        if name == "optuna":
            raise ImportError(name)
        return there(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_optuna)
    with pytest.raises(ConfigError, match=r'pip install "expunge\[tune\]"'):
        search(trials=1)


def test_the_best_is_a_recipes_table_and_every_cell_says_what_it_was_chosen_by(search, bench):
    document = search("class:3", objective="oracle", trials=2)
    methods = tomllib.loads(as_toml(document))["methods"]
    experiment = Experiment(
        title="Tuned",
        data=DATA,
        network=ORIGIN.network,
        training=ORIGIN.training,
        scenarios=("class:3", "random:0.1"),
        methods={**methods, "ft": {"epochs": 1, "chosen_by": "published"}},
    )
    graph = bench.graph()
    planned = plan_grid(graph, experiment)
    bench.run(graph)
    rows = collect_cells(bench.store, planned, Makers())
    cells = {(cell["scenario"], cell["method"]): cell for cell in rows}
    tuned = cells["class:3", "ga"]
    assert tuned["chosen_by"] == "oracle"
    assert tuned["config"] == document["best"]["config"]
    for name in ("ua", "ra", "ta", "mia_efficacy"):
        assert tuned["metrics"][name] == document["best"]["metrics"][name]
    assert cells["random:0.1", "ga"]["chosen_by"] is None
    assert cells["random:0.1", "ft"]["chosen_by"] == "published"
    assert cells["random:0.1", "original"]["chosen_by"] is None


def test_a_table_for_one_kind_of_scenario_says_for_itself_what_it_was_chosen_by():
    experiment = Experiment(
        title="Tuned",
        data=DATA,
        network=ORIGIN.network,
        training=ORIGIN.training,
        scenarios=("class:3", "random:0.1", "random:0.5"),
        methods={"ga": {"chosen_by": "published", "class": {"lr": 0.1}}},
    )
    assert experiment.chosen_by("ga", "random:0.1") == "published"
    assert experiment.chosen_by("ga", "class:3") is None
    with pytest.raises(ConfigError, match=r"methods\.ga: chosen_by must be a text"):
        replace(experiment, methods={"ga": {"chosen_by": 3}})
    with pytest.raises(ConfigError, match=r"methods\.ga: chosen_by must be a text"):
        replace(experiment, methods={"ga": {"class": {"chosen_by": " "}}})


@BOTH
def test_the_outlook_counts_what_is_made_at_most(tmp_path, objective):
    bench = bench_in(tmp_path / "runs")
    run_id = trained(bench)
    tuning = Tuning(trials=2, objective=objective)
    case = Case(run_id, "class:3")
    before = bench.store.ids()
    found = outlook(bench.store, case, GA, tuning)
    assert bench.store.ids() == before
    assert found.trials == 2
    tune(bench, case, GA, tuning, tmp_path / "tune.json", lambda trial: None)
    made = bench.store.ids() - before
    # Both trials have settings of their own, so the upper count is the count.
    assert len(made) == found.at_most - len({*before} & {node.id for node in found.before.graph})
    assert {node.id for node in found.before.graph} <= bench.store.ids()
    assert found.to_json()["at_most"] == found.at_most
