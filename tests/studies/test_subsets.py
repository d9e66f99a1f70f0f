"""Subsets: a part of a recipe's grid, by name or by its methods and scenarios."""

import pytest
from tests.studies.small import TINY, ids, planned

from expunge.errors import ConfigError
from expunge.studies.recipe import parse_experiment, read_experiment

RECIPE = (
    TINY.replace(
        '"random:0.1"]', '"random:0.1", "class:3,5"]\nseeds = [0, 1]\nretrain_again = true'
    )
    .replace("sparsity = 0.5", "sparsity = [0.5, 0.9]")
    .replace("[methods.l1_sparse]", "[methods.l1_sparse]\nsparsities = [0.0, 0.9]")
    + """
[pruners.random]
[methods.ft]
[[claims]]
name = "one"
scenario = "class:3"
first = { method = "ft", pruner = "omp", sparsity = 0.9 }
second = { method = "original", pruner = "omp", sparsity = 0.9 }
direction = "lower"
effect = 1.0
[[claims]]
name = "other"
scenario = "random:0.1"
first = { method = "l1_sparse" }
second = { method = "ft" }
direction = "lower"
effect = 1.0
[subsets.quick]
scenarios = ["class:3"]
levels = ["omp:0.5"]
seeds = [1]
[subsets.sparse]
methods = ["l1_sparse"]
levels = ["dense", "random:0.95"]
"""
)


def part(only, text=RECIPE):
    return parse_experiment(text, "r", only=only)


def test_a_named_subset_is_that_part_of_the_grid():
    quick = part("quick")
    assert (quick.scenarios, quick.seeds, quick.sparsities) == (("class:3",), (1,), (0.0, 0.5))
    assert list(quick.pruners) == ["omp"]
    assert quick.methods["l1_sparse"]["sparsities"] == [0.0]
    sparse = part("sparse")
    assert (list(sparse.methods), sparse.sparsities) == (["retrain", "l1_sparse"], (0.0, 0.95))
    assert (sparse.scenarios, sparse.seeds) == (part(None).scenarios, (0, 1))


def test_methods_and_scenarios_are_asked_for_by_name_and_retrain_stays():
    found = part("ft, class:3,5,random:0.1")
    assert (list(found.methods), found.scenarios) == (
        ["retrain", "ft"],
        ("random:0.1", "class:3,5"),
    )
    assert found.retrain_again
    # A Retrain of sparse models only is not there to be done again.
    before, _, rest = RECIPE.partition("[[claims]]")
    sparse = before.replace("[methods.retrain]", "[methods.retrain]\nsparsities = [0.9]")
    sparse += rest[rest.index("[subsets.quick]") :]
    assert not part("quick", sparse).retrain_again
    assert list(part("class:3").methods) == ["retrain", "l1_sparse", "ft"]
    alone = part("ft", TINY.replace("[methods.retrain]", "[methods.ft]"))
    assert list(alone.methods) == ["ft"]


def test_claims_about_what_is_left_out_are_left_out():
    assert [claim.name for claim in part("class:3").claims] == ["one"]
    assert [claim.name for claim in part("ft").claims] == ["one"]
    assert [claim.name for claim in part("quick").claims] == []


def test_the_nodes_of_a_part_are_those_of_the_whole(tmp_path):
    whole, cells = planned(tmp_path, part(None))
    for only in ("quick", "ft,class:3"):
        graph, few = planned(tmp_path, part(only))
        assert set(ids(graph)) < set(ids(whole))
        there = {(cell.scenario, cell.method, cell.seed, cell.model_id) for cell in cells}
        assert {(cell.scenario, cell.method, cell.seed, cell.model_id) for cell in few} < there


def test_what_is_left_out_is_named_in_the_plan(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(RECIPE)
    graph, _ = planned(tmp_path / "runs", read_experiment(path, only="quick"))
    assert graph.notes[0] == (
        "--only quick leaves out scenarios random:0.1, class:3,5; levels omp:0.9, random:0.95; "
        "seed 0; claims 'one', 'other'"
    )


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("quik", "--only: unknown subset, method or scenario 'quik': .*mean 'quick'"),
        ("ft,gaa", "unknown subset, method or scenario 'gaa': expected one of quick, sparse, retr"),
        ("", "unknown subset, method or scenario ''"),
        ("class:4", "unknown subset, method or scenario 'class:4': .*mean 'class:3'"),
        ("quick,ft", "--only quick,ft: a subset, 'quick', is asked for alone"),
    ],
)
def test_parts_that_are_not_there_are_refused(only, message):
    with pytest.raises(ConfigError, match=message):
        part(only)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = [1]\n[subsets", "seed = [1]\n[subsets", "subsets.quick: unknown setting 'seed'"),
        ("seeds = [1]\n[subsets", "seeds = 1\n[subsets", "quick: seeds must be a list, got 1"),
        (
            "seeds = [1]\n[subsets",
            "seeds = [7]\n[subsets",
            "unknown seed '7': expected one of 0, 1",
        ),
        ('"omp:0.5"', '"omp:0.6"', "unknown level 'omp:0.6': expected one of dense, omp:0.5"),
        ('"omp:0.5"', "0.5", "levels must be of type str, got 0.5"),
        ('["l1_sparse"]', '["l1_sprse"]', "unknown method 'l1_sprse': .*mean 'l1_sparse'"),
        ('s = ["class:3"]\nl', 's = ["class:33"]\nl', "unknown scenario 'class:33'"),
        ("[subsets.sparse]", "[subsets.ft]", "subsets.ft: a subset needs a name that no method"),
        (
            "[subsets.sparse]",
            "[subsets.none]\n[subsets.sparse]",
            "expected some of scenarios, meth",
        ),
        (
            "[subsets.sparse]",
            "[subsets]\nx = 3\n[subsets.sparse]",
            "subsets must be tables such as",
        ),
    ],
)
def test_subsets_of_what_the_grid_does_not_hold_are_refused(old, new, message):
    """Whatever is asked for: a recipe is right as a whole."""
    assert old in RECIPE
    with pytest.raises(ConfigError, match=message):
        part(None, RECIPE.replace(old, new, 1))
