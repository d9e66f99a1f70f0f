"""The tables of recipes that studies of their own read."""

from typing import Any

from hypothesis import given
from tests.fuzz.conftest import changed, fuzz, outcome
from tests.fuzz.test_recipes import RECIPE, recipe

from expunge.studies.pruning_recipe import parse_pruning
from expunge.studies.recipe import parse_experiment
from expunge.studies.theory_claims import parse_theory_claims

GRID = {name: table for name, table in RECIPE.items() if name not in ("published", "scales")}
PRUNING: dict[str, Any] = {
    "order": 1,
    "draw": 2,
    "claims": [
        {
            "name": "C",
            "measure": "jaccard",
            "scenario": "class:3",
            "first": {"pruner": "omp", "sparsity": 0.9, "against": "forget"},
            "second": {"pruner": "omp", "sparsity": 0.9, "against": "order"},
            "direction": "within",
            "effect": 0.05,
        },
        {
            "name": "D",
            "measure": "cost",
            "first": {"pruner": "omp", "sparsity": 0.9},
            "second": {"pruner": "random", "sparsity": 0.5},
            "direction": "lower",
            "effect": 2,
        },
    ],
}
THEORY: dict[str, Any] = {
    "claims": [
        {"name": name, "scenario": "class:3", "pruner": "omp", "direction": "lower", **rest}
        for name, rest in (
            ("E", {"measure": "error", "sparsity": 0.9, "effect": 2}),
            ("F", {"measure": "correlation", "of": "moved", "effect": 0.5}),
        )
    ]
}
EXPERIMENT = parse_experiment(recipe(GRID), "r.toml")


def test_the_tables_that_are_changed_are_some():
    assert len(parse_pruning(recipe({**GRID, "pruning": PRUNING}), "r.toml")[1].claims) == 2
    assert len(parse_theory_claims(THEORY, EXPERIMENT, "r.toml")) == 2


@fuzz(250)
@given(changed({"title": "T", "pruning": PRUNING}))
def test_pruning(tables):
    outcome(lambda: parse_pruning(recipe({**GRID, **tables}), "r.toml"))


@fuzz(250)
@given(changed({"title": "T", "theory": THEORY}))
def test_theory(tables):
    outcome(lambda: parse_theory_claims(tables.get("theory", {}), EXPERIMENT, "r.toml"))
