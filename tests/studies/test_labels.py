"""Labels: one grid may hold a method several times, with other settings under each label."""

import re

import pytest
from tests.studies.small import TINY, ids, planned, tiny

from expunge.errors import ConfigError
from expunge.studies.recipe import parse_experiment

TWO = (
    TINY
    + """
[methods.ft]
epochs = 1
[methods.ft_long]
method = "ft"
title = "FT, longer"
epochs = 2
sparsities = [0.5]
[methods.ft_long.class]
epochs = 3
chosen_by = "hand"
"""
)


def test_a_label_is_a_row_of_its_own_and_its_nodes_are_its_methods(tmp_path):
    graph, cells = planned(tmp_path, tiny(TWO))
    rows = [cell for cell in cells if cell.method == "ft_long"]
    assert {(cell.of, cell.title, cell.base.sparsity) for cell in rows} == {
        ("ft", "FT, longer", 0.5)
    }
    for cell, epochs, how in zip(rows, (3, 2), ("hand", None), strict=True):
        params = graph.node(cell.model_id).params
        assert params["method"] == "ft"
        assert cell.config["epochs"] == epochs == params["config"]["epochs"]
        assert cell.chosen_by == how
    plain = next(cell for cell in cells if cell.method == "ft")
    assert plain.of is plain.title is None


def test_a_label_changes_no_node(tmp_path):
    named = tiny(TINY + "[methods.ft]\nepochs = 1\n")
    labelled = tiny(TINY + '[methods.short]\nmethod = "ft"\nepochs = 1\n')
    assert ids(planned(tmp_path, named)[0]) == ids(planned(tmp_path, labelled)[0])


def test_a_claim_may_be_about_a_label():
    claim = """
[[claims]]
name = "Longer is nearer"
scenario = "class:3"
first = { method = "ft_long", pruner = "omp", sparsity = 0.5 }
second = { method = "ft", pruner = "omp", sparsity = 0.5 }
direction = "lower"
effect = 1.0
"""
    assert parse_experiment(TWO + claim, "r").claims[0].first.method == "ft_long"
    with pytest.raises(ConfigError, match=r"unknown method 'ft_lon': .*did you mean 'ft_long'"):
        parse_experiment(TWO + claim.replace('"ft_long"', '"ft_lon"'), "r")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            '[methods.ga]\nmethod = "ft"',
            "'ga' is a name of its own, and method says 'ft': choose",
        ),
        ('[methods.original]\nmethod = "ft"', "'original' is a name of its own"),
        ('[methods.again]\nmethod = "retrain"', "methods.again: method must not be 'retrain'"),
        ("[methods.retrain]\ntitle = 'R'", "methods.retrain: what methods are compared with takes"),
        ("[methods.gaa]", r"methods.gaa: unknown method 'gaa': .*\(did you mean 'ga'\?\); a label"),
        ('[methods.a]\nmethod = "gaa"', r"methods.a: unknown method 'gaa': .*mean 'ga'\?\)"),
        ("[methods.a]\nmethod = 3", r"methods.a: unknown method '3': expected one of"),
        ('[methods.a]\nmethod = "ga"\nlrr = 1.0', "methods.a: unknown setting 'lrr': .*mean 'lr'"),
        ('[methods."a,b"]\nmethod = "ga"', r"a label must be of letters, .* got 'a,b'"),
        ('[methods.a]\nmethod = "ga"\ntitle = 3', "methods.a: title must be a text, got 3"),
        ('[methods.a]\nmethod = "ga"\ntitle = " "', "methods.a: title must be a text, got ' '"),
        ("[methods.ga]\ntitle = 'x'\n[methods.iu]\ntitle = 'x'", "methods.ga: another method has"),
        ('[methods.ga.class]\nmethod = "ga"', "methods.ga: unknown setting 'method'"),
        (
            '[methods.ga]\nlr = 1e-4\n[methods.a]\nmethod = "ga"',
            "methods.ga and methods.a are the same in class:3 at sparsity 0.0, 0.5: take one out",
        ),
    ],
)
def test_labels_that_mislead_are_refused_in_one_line(table, message):
    text = (
        TINY
        if "retrain" not in table or "again" in table
        else TINY.replace("[methods.retrain]", "")
    )
    with pytest.raises(ConfigError, match=message) as caught:
        parse_experiment(f"{text}{table}\n", "r")
    assert len(str(caught.value).splitlines()) == 1


def test_the_theorem_is_measured_of_methods_by_their_names():
    with pytest.raises(ConfigError, match=r"methods.ft_long: .* by its name: take out method"):
        tiny(TWO).refuse_labels("the theorem is measured")


def test_the_same_settings_at_other_sparsities_are_other_cells():
    table = "[methods.ga]\nsparsities = [0.0]\n[methods.a]\nmethod = 'ga'\nsparsities = [0.5]\n"
    assert len(parse_experiment(TINY + table, "r").methods) == 4
    again = re.sub(r"\[0.5\]", "[0.0, 0.5]", table)
    with pytest.raises(ConfigError, match=r"are the same in class:3 at sparsity 0\.0:"):
        parse_experiment(TINY + again, "r")
