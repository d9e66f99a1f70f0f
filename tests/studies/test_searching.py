"""Searches in a recipe: each cell's settings are the best of trials on a seed outside the table."""

import json
import sys

import pytest
from tests.studies.small import HERE, ids, tiny

from expunge.engines import Engine, run
from expunge.errors import ConfigError, DivergedError
from expunge.graph.graph import Graph
from expunge.graph.runtime import Runtime
from expunge.report import load_results, render_html, to_markdown
from expunge.runs import Store
from expunge.studies.folder import collect_grid
from expunge.studies.grid import plan_grid
from expunge.studies.recipe import parse_experiment
from expunge.studies.searching import at_most, plan_searches, run_searches
from expunge.studies.theory import plan_theory
from expunge.studies.tuning.objectives import Bench
from expunge.studies.tuning.settings import Tuning
from expunge.studies.tuning.tune import tune
from expunge.theory.config import HessianConfig

RECIPE = """
title = "Searched"
scenarios = ["class:3"]
metrics = ["ua", "ra", "ta", "mia_efficacy"]
[data]
source = "digits"
train_limit = 200
test_limit = 100
validation_fraction = 0.2
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
rewind_epoch = 1
[pruners.omp]
sparsity = 0.5
[methods.retrain]
epochs = 1
[methods.ga]
epochs = 2
batch_size = 10
[methods.ga.search]
seed = 3
objective = "oracle"
trials = 2
ranges = { lr = "1e-4:0.01:log" }
[methods.l1_sparse]
epochs = 1
lr = 0.05
[methods.l1_sparse.search]
seed = 3
objective = "no_oracle"
trials = 3
grid = true
ranges = { gamma = "1e-5:1e-3:log" }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    runtime = Runtime(HERE)
    rounds = []

    def make(graph):
        rounds.append(ids(graph))
        run(graph, Engine(), HERE, runtime=runtime)

    bench = Bench(Store(folder / "runs"), make)
    experiment = parse_experiment(RECIPE, "searched")
    told, before, planned = [], bench.graph(), bench.graph()
    sought = plan_searches(before, experiment)
    counted = at_most(planned, plan_searches(planned, experiment))
    found = run_searches(
        bench, before, sought, lambda each, record: told.append((each.place, record))
    )
    searched = bench.store.ids()
    graph = bench.graph()
    cells = plan_grid(graph, experiment, found=found)
    bench.run(graph)
    document = collect_grid(bench.store, experiment, cells, "x", [*found.values()])
    return {
        "bench": bench, "experiment": experiment, "sought": sought, "found": found, "told": told,
        "counted": counted, "before": before, "searched": searched, "document": document,
        "rounds": rounds, "folder": folder,
    }  # fmt: skip


def test_every_scenario_and_sparsity_of_a_method_has_a_search_of_its_own(made):
    assert set(made["found"]) == {
        (name, "class:3", *level)
        for name in ("ga", "l1_sparse")
        for level in (("none", 0.0), ("omp", 0.5))
    }
    trials = {place: len(found["trials"]) for place, found in made["found"].items()}
    assert {trials["ga", "class:3", "omp", 0.5], trials["l1_sparse", "class:3", "none", 0.0]} == {
        2, 3,
    }  # fmt: skip


def test_the_models_that_are_searched_on_are_of_the_seed_outside_the_table(made):
    graph = made["bench"].graph()
    assert {graph.seed_of(each.case.run_id) for each in made["sought"]} == {3}
    assert {found["seed"] for found in made["found"].values()} == {3}
    assert {cell["seed"] for cell in made["document"]["cells"]} == {0}


def test_a_search_is_the_one_that_tune_makes_of_the_same_model(made, tmp_path):
    bench, place = made["bench"], ("ga", "class:3", "omp", 0.5)
    sought = next(each for each in made["sought"] if each.place == place)
    document = tune(
        bench, sought.case, sought.space, Tuning(objective="oracle", trials=2),
        tmp_path / "tune.json", lambda trial: None,
    )  # fmt: skip
    assert [each["value"] for each in document["trials"]] == [
        each["value"] for each in made["found"][place]["trials"]
    ]
    assert document["best"]["searched"] == made["found"][place]["searched"]


def test_the_oracle_compares_with_the_recipes_own_retrain(made):
    bench = made["bench"]
    retrained = [
        node.params["config"].get("epochs")
        for node in map(bench.store.node, made["searched"])
        if node.kind == "unlearn" and node.params["method"] == "retrain"
    ]
    assert set(retrained) == {1}


def test_a_cell_has_what_its_own_search_found_and_says_by_what(made):
    for cell in made["document"]["cells"]:
        place = (cell["method"], cell["scenario"], cell["pruner"], cell["sparsity"])
        if place not in made["found"]:
            assert cell["chosen_by"] is None
            continue
        found = made["found"][place]
        assert cell["chosen_by"] == found["objective"]
        for name, value in found["searched"].items():
            assert cell["config"][name] == value
        best = min(found["trials"], key=lambda trial: trial["value"])
        assert (best["searched"], best["value"]) == (found["searched"], found["value"])
    assert made["found"]["ga", "class:3", "none", 0.0]["objective"] == "oracle"
    assert made["found"]["l1_sparse", "class:3", "none", 0.0]["objective"] == "no_oracle"


def test_in_each_round_searches_try_one_setting_and_grids_all(made):
    tried = [
        sum(each.startswith("unlearn") for each in nodes)
        for nodes in made["rounds"]
        if any(each.startswith("unlearn") for each in nodes)
    ]
    # Before the trials two retrained models; then one trial of each of two searches beside all
    # three of each of two grids; then the second trial of the two searches.
    assert [each for each in tried if each > 1][:3] == [2, 2 + 6, 2]


def test_the_outlook_is_not_exceeded(made):
    known = {node.id for node in made["before"]}
    assert 0 < len(made["searched"] - known) <= made["counted"]


def test_the_outlook_of_two_searches_of_one_method_counts_both(tmp_path):
    """Both begin with the same settings, and go on with others."""
    ga = RECIPE[RECIPE.index("[methods.ga]") : RECIPE.index("[methods.l1_sparse]")]
    again = ga.replace("methods.ga", "methods.ga_again") + "proposals = 1\n"
    text = RECIPE + again.replace("epochs = 2", 'method = "ga"\nepochs = 2')
    experiment = parse_experiment(text, "x")

    def counted(*labels):
        graph = Graph(Store(tmp_path))
        sought = plan_searches(graph, experiment)
        return at_most(graph, [each for each in sought if each.place[0] in labels])

    assert counted("ga", "ga_again") == counted("ga") + counted("ga_again") > 0


def test_the_document_keeps_every_trial_and_the_report_shows_what_was_chosen(made):
    path = made["folder"] / "results.json"
    path.write_text(json.dumps(made["document"]))
    results = load_results(path)
    trials = [trial for search in results["searches"] for trial in search["trials"]]
    assert len(trials) == 10
    for trial in trials:
        assert trial["run"].startswith("unlearn-")
        assert {"ua", "ra", "ta"} <= trial["metrics"].keys()
    found = made["found"]["ga", "class:3", "omp", 0.5]
    row = f"| GA | 50 % OMP | oracle | lr {found['searched']['lr']:g} | {found['value']:.2f} | 2 |"
    assert row in to_markdown(results)
    assert "Searches of settings" in render_html(results)


def test_a_grid_tries_its_values_and_no_other(made):
    for pruner, sparsity in (("none", 0.0), ("omp", 0.5)):
        trials = made["found"]["l1_sparse", "class:3", pruner, sparsity]["trials"]
        tried = [trial["searched"]["gamma"] for trial in trials]
        assert tried == pytest.approx([1e-5, 1e-4, 1e-3])


def test_told_are_all_trials_of_each_search(made):
    assert len(made["told"]) == 10
    numbers = [record["trial"] for place, record in made["told"] if place[0] == "ga"]
    assert sorted(numbers) == [0, 0, 1, 1]


def test_without_optuna_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    bench = Bench(Store(tmp_path), lambda graph: run(graph, Engine(), HERE))
    graph = bench.graph()
    sought = plan_searches(graph, parse_experiment(RECIPE, "x"))
    with pytest.raises(ConfigError, match=r'pip install "expunge\[tune\]"'):
        run_searches(bench, graph, sought, lambda each, record: None)
    assert bench.store.ids() == set()


def test_where_all_trials_diverge_the_search_is_named(tmp_path):
    text = RECIPE.replace('lr = "1e-4:0.01:log"', 'lr = "1e25:1e30:log"')
    text = text[: text.index("[methods.l1_sparse]")].replace("[pruners.omp]\nsparsity = 0.5\n", "")
    bench = Bench(Store(tmp_path), lambda graph: run(graph, Engine(), HERE))
    graph = bench.graph()
    sought = plan_searches(graph, parse_experiment(text, "x"))
    with pytest.raises(DivergedError, match=r"search of ga in class:3, dense, by oracle: all 2"):
        run_searches(bench, graph, sought, lambda each, record: None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('seed = 3\nobjective = "oracle"', 'seed = 0\nobjective = "oracle"', "seed 0 is one of"),
        ('objective = "oracle"', 'objective = "orcle"', "did you mean 'oracle'"),
        ("trials = 2", "trails = 2", "did you mean 'trials'"),
        ("trials = 2", "trials = 0", "trials must be"),
        ("lr = ", "lrr = ", "did you mean 'lr'"),
        ('"1e-4:0.01:log"', "0.1", "ranges must be a table such as"),
        (
            "trials = 2\nranges",
            'trials = 2\ngrid = true\nranges = { epochs = "1:2" }\n#',
            "epochs is both fixed",
        ),
        ('"1e-4:0.01:log"', '"0.01"', "a range is NAME=LOW:HIGH"),
        ("ranges = { lr", "ranges = { batch_size", "batch_size is both fixed and searched"),
        ("epochs = 2\nbatch_size = 10", 'batch_size = 10\nchosen_by = "hand"', "leave that out"),
        ("[methods.ga.search]\nseed = 3\n", "[methods.ga.search]\n", "seed is missing"),
    ],
)
def test_a_search_that_cannot_be_is_refused(old, new, message):
    assert old in RECIPE
    with pytest.raises(ConfigError, match=message):
        parse_experiment(RECIPE.replace(old, new), "x")


def test_one_method_may_be_chosen_in_two_ways_under_two_labels():
    text = RECIPE.replace("[methods.l1_sparse", "[methods.ga_no_oracle")
    text = text.replace("[methods.ga_no_oracle]", '[methods.ga_no_oracle]\nmethod = "ga"')
    text = text.replace("gamma = ", "lr = ").replace("lr = 0.05\n", "")
    experiment = parse_experiment(text, "x")
    assert [experiment.chosen_by(name, "class:3") for name in ("ga", "ga_no_oracle")] == [
        "oracle", "no_oracle",
    ]  # fmt: skip


def test_a_class_by_seed_is_that_of_the_seed_that_is_searched_on(tmp_path):
    text = RECIPE.replace("class:3", "class:seed").replace("seed = 3", "seed = 13")
    sought = plan_searches(Graph(Store(tmp_path)), parse_experiment(text, "x"))
    assert {each.case.scenario for each in sought} == {"class:3"}
    assert {each.place[1] for each in sought} == {"class:seed"}


def test_retrain_is_not_searched():
    text = RECIPE.replace("[methods.ga]\n", "[methods.retrain.search]\nseed = 3\n[methods.ga]\n")
    with pytest.raises(ConfigError, match="retrain is what others are compared with"):
        parse_experiment(text, "x")


def test_without_validation_data_nothing_is_chosen_without_an_oracle(tmp_path):
    text = RECIPE.replace("validation_fraction = 0.2\n", "")
    with pytest.raises(ConfigError, match=r"methods\.l1_sparse: .* set validation_fraction"):
        plan_searches(Graph(Store(tmp_path)), parse_experiment(text, "x"))


def test_a_recipe_without_searches_has_none(tmp_path):
    graph = Graph(Store(tmp_path))
    assert plan_searches(graph, tiny()) == []
    assert len(graph) == 0
    ran = []
    assert run_searches(Bench(graph.store, ran.append), graph, [], lambda each, record: None) == {}
    assert ran == []


def test_a_study_of_given_settings_refuses_searches(tmp_path):
    plain = (
        'optimizer = "sgd"\nmomentum = 0\nweight_decay = 0\nschedule = "constant"\n[pruners.omp]'
    )
    experiment = parse_experiment(RECIPE.replace("[pruners.omp]", plain), "x")
    with pytest.raises(ConfigError, match=r"methods\.ga: .* settings that are given: take out"):
        plan_theory(Graph(Store(tmp_path)), experiment, HessianConfig())
