"""`class:seed`: every seed forgets another class, and all seeds are one scenario."""

from dataclasses import replace

import pytest
from tests.studies.small import ids, planned, tiny
from tests.studies.test_theory import RECIPE

from expunge.errors import ForgetError
from expunge.graph.graph import Graph
from expunge.report.aggregate import aggregate
from expunge.report.html import render_html
from expunge.runs import Store
from expunge.scenarios import of_seed
from expunge.studies.attribution import plan_attribution
from expunge.studies.attribution_recipe import AttributionSettings
from expunge.studies.claims import parse_claims
from expunge.studies.recipe import parse_experiment
from expunge.studies.theory import plan_theory
from expunge.theory.config import HessianConfig

BY_SEED = ("class:seed",)


def test_every_seed_forgets_another_class_by_the_nodes_of_that_class(tmp_path):
    """Seed 13 of ten classes: class 3."""
    experiment = tiny(scenarios=BY_SEED, seeds=(1, 13))
    graph, cells = planned(tmp_path, experiment)
    assert {(cell.scenario, cell.seed, cell.forgets) for cell in cells} == {
        ("class:seed", 1, "class:1"),
        ("class:seed", 13, "class:3"),
    }
    apart = [
        ids(planned(tmp_path, tiny(scenarios=(f"class:{number}",), seeds=(seed,)))[0])
        for seed, number in ((1, 1), (13, 3))
    ]
    assert set(ids(graph)) == set().union(*apart)


def test_other_scenarios_of_the_grid_say_nothing_of_what_a_seed_forgets(tmp_path):
    _, cells = planned(tmp_path, tiny())
    assert {cell.forgets for cell in cells} == {None}


def test_settings_for_classes_are_those_of_a_class_by_seed():
    text = "[methods.ga]\nlr = 1e-4\n[methods.ga.class]\nlr = 1e-3\n"
    experiment = parse_experiment(RECIPE.replace("class:3", "class:seed") + text, "r")
    assert experiment.method_config("ga", "class:seed").lr == 1e-3


def test_a_claim_may_be_about_a_class_by_seed():
    claim = {
        "name": "c",
        "scenario": "class:seed",
        "first": {"method": "l1_sparse"},
        "second": {"method": "original"},
        "direction": "lower",
        "effect": 1.0,
        "measure": "ua",
    }
    assert tiny(scenarios=BY_SEED, claims=parse_claims([claim], "r")).claims


def test_the_theorems_points_forget_by_seed_too(tmp_path):
    experiment = parse_experiment(RECIPE.replace("class:3", "class:seed"), "r")
    graph = Graph(Store(tmp_path))
    points = plan_theory(graph, replace(experiment, seeds=(2, 4)), HessianConfig())
    assert {(each.scenario, each.seed, each.forgets) for each in points} == {
        ("class:seed", 2, "class:2"),
        ("class:seed", 4, "class:4"),
    }
    for each in points:
        forget = graph.node(graph.node(each.theorem_id).parents["forget"])
        assert forget.where["scenario"] == each.forgets


def test_attribution_resets_the_weights_of_the_seeds_class(tmp_path):
    graph = Graph(Store(tmp_path))
    settings = AttributionSettings(attributors={"gradient_similarity": {}}, memorisation=False)
    experiment = tiny(scenarios=BY_SEED, seeds=(0, 5))
    for each in plan_attribution(graph, experiment, settings):
        assert each.forgets == {"class:seed": f"class:{each.seed}"}
        forget = graph.node(graph.node(each.weights["class:seed"]).parents["forget"])
        assert forget.where["scenario"] == f"class:{each.seed}"


def test_a_class_that_is_called_seed_is_not_meant():
    names = ["husk", "seed"]
    assert of_seed("class:husk", 1, names) == "class:husk"
    with pytest.raises(ForgetError, match=r"the data have a class 'seed': .* class:1$"):
        of_seed("class:seed", 0, names)


def test_a_report_says_which_class_each_seed_forgot():
    from tests.report.conftest import build

    results = build()
    results["cells"] = [
        {**cell, "scenario": "class:seed", "forgets": f"class:{cell['seed']}"}
        for cell in results["cells"]
        if cell["scenario"] == "class:3"
    ]
    (scenario,) = aggregate(results)
    assert scenario.seeds == (0, 1, 2)
    page = render_html(results)
    assert "Forget one class, chosen by the seed" in page
    assert all(f"chosen by the seed: class:{seed}<" in page for seed in range(3))
