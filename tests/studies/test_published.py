"""Published values in a recipe, and in the folder of its results."""

import json

import pytest
from tests.studies.small import TINY, ids, planned, tiny

from expunge.errors import ConfigError, DataError
from expunge.report import check_results
from expunge.studies.folder import RESULTS, SETTINGS, claim, keep, plain
from expunge.studies.recipe import parse_experiment, read_experiment

CELL = """
[[published]]
scenario = "class:3"
method = "l1_sparse"
pruner = "omp"
sparsity = 0.5
source = "A paper, Table 1"
how = "read"
n = 10
values = { ua = [22.53, 8.16], ra = [99.87] }
"""
TABLE = '\n[[published]]\ntable = "main-table"\n'


def test_a_published_cell_is_read_and_kept():
    experiment = tiny(TINY + CELL)
    (cell,) = experiment.published
    assert (cell.mean("ua"), cell.deviation("ua")) == (22.53, 8.16)
    assert (cell.mean("ra"), cell.deviation("ra"), cell.mean("ta")) == (99.87, None, None)
    (kept,) = plain(experiment)["published"]
    assert kept["values"] == {"ua": [22.53, 8.16], "ra": [99.87]}
    assert json.loads(json.dumps(kept)) == kept
    assert "published" not in plain(tiny())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('source = "A paper, Table 1"\n', "", "source is missing"),
        ('"A paper, Table 1"', '" "', "source is empty"),
        ('how = "read"\n', "", "how is missing: expected one of read, digitised, unverified"),
        ('"read"', '"guessed"', "how must be one of read, digitised, unverified, got 'guessed'"),
        ('"class:3"\n', '"class:4"\n', r"unknown scenario 'class:4'.*did you mean 'class:3'"),
        ('"l1_sparse"', '"l1_spares"', "unknown method 'l1_spares'.*did you mean 'l1_sparse'"),
        ('"l1_sparse"', '"ga"', "unknown method 'ga'"),
        ('"omp"', '"imp"', "unknown pruner 'imp'"),
        ("sparsity = 0.5\nsou", "sparsity = 0.6\nsou", r"omp at sparsity \[0.5\], got 0.6"),
        ("sparsity = 0.5\nsou", "sou", "expected a pruner and a sparsity above 0"),
        ("{ ua", "{ drif", "unknown metric 'drif'.*did you mean 'drift'"),
        ("8.16]", "-8.16]", "a deviation is 0 or more, got -8.16"),
        ("8.16]", "8.16, 3]", r"values.ua must be \[mean\] or \[mean, deviation\]"),
        ("[22.53, 8.16]", "22.53", "ua must be a list"),
        ("[22.53, 8.16]", "[nan]", r"values.ua must be \[mean\]"),
        ("values = { ua = [22.53, 8.16], ra = [99.87] }", "values = {}", "values is empty"),
        ("[22.53, 8.16]", "[1e200]", r"values.ua must be .* within ±1e\+100, got \[1e\+200\]"),
        ("[22.53, 8.16]", "[22.53, 1e200]", r"values.ua must be .* within ±1e\+100"),
        ("n = 10", "error = { ua = 1e200 }", "error.ua must be 0 or more"),
        ("n = 10", "draws = 0", "draws must be 1 or more, or left out, got 0"),
        (
            "n = 10",
            'setting = {"training.epochz" = 182}',
            "setting: unknown setting 'training.epochz'.*did you mean 'training.epochs'",
        ),
        ("n = 10", "setting = {training = {epochz = 1}}", "unknown setting 'training"),
        ("n = 10", "setting = {training = 182}", "training must be a table, got 182"),
        ("n = 10", 'setting = {"trainin.epochs" = 1}', "did you mean 'training'"),
        ("n = 10", "config = {lrr = 3}", "config: unknown setting 'lrr'.*did you mean 'lr'"),
        ("n = 10", "n = 1", "n must be 2 trials or more"),
        ("n = 10", "m = 10", "unknown setting 'm'"),
        ("n = 10", "error = { ta = 0.1 }", "error.ta must be 0 or more, and of one of values"),
        ("n = 10", 'table = "main-table"', "'table' has nothing else"),
    ],
)
def test_a_published_cell_without_a_place_or_a_source_is_refused(old, new, message):
    assert old in CELL
    with pytest.raises(ConfigError, match=f"recipe: published 1: .*{message}"):
        parse_experiment(TINY + CELL.replace(old, new), "recipe")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("published = 3\n" + TINY, "published must be tables, each under"),
        (TINY + CELL + CELL, "published 2: l1_sparse in class:3, omp 0.5 is there twice by 'A pap"),
        (TINY + TABLE + TABLE, "published 2: retrain in class:3 is there twice by 'Jia"),
        (TINY + TABLE.replace("main", "mian"), "published 1: unknown published table 'mian-table'"),
        (TINY + TABLE.replace('"main-table"', "3"), "published 1: table must be a name, got 3"),
    ],
)
def test_published_blocks_that_are_none_or_there_twice_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_experiment(text, "recipe")


def test_one_cell_may_have_several_sources():
    other = CELL.replace("A paper", "Another paper")
    assert len(tiny(TINY + CELL + other).published) == 2
    assert len(tiny(TINY + CELL + CELL.replace('"read"', '"digitised"')).published) == 2


def test_settings_of_every_table_may_be_published():
    given = (
        'setting = { "training.epochs" = 182, "data.edits" = { badnets = { share = 0.1 } }, '
        '"data.edits.badnets.size" = 4, training = { lr = 0.1 }, precision = "bf16", '
        '"network.width" = 1.0 }\nconfig = { gamma = 5e-4 }'
    )
    (cell,) = tiny(TINY + CELL.replace("n = 10", given)).published
    assert len(cell.setting) == 6
    assert dict(cell.config) == {"gamma": 5e-4}


def test_a_cell_the_grid_leaves_out_is_refused():
    text = TINY.replace("[methods.l1_sparse]\n", "[methods.l1_sparse]\nsparsities = [0.0]\n")
    with pytest.raises(ConfigError, match=r"l1_sparse is not run at sparsity 0\.5"):
        parse_experiment(text + CELL, "recipe")


def test_a_table_stands_under_the_names_of_the_grid():
    """Its class stands for every class of the grid; methods that the grid lacks stay."""
    experiment = tiny(TINY.replace('"class:3"', '"class:3", "class:4"') + TABLE)
    classes = [cell for cell in experiment.published if cell.scenario.startswith("class")]
    assert {cell.scenario for cell in classes} == {"class:3", "class:4"}
    by_class = [cell.method for cell in classes if cell.scenario == "class:4"]
    assert len(by_class) == 12
    assert "ff" in by_class
    (scenario,) = {cell.scenario for cell in experiment.published} - {"class:3", "class:4"}
    assert scenario == "random:0.1"


def test_a_cell_stands_at_every_label_of_its_method():
    text = TINY.replace("[methods.l1_sparse]", '[methods.mild]\nmethod = "l1_sparse"')
    text += '[methods.strong]\nmethod = "l1_sparse"\ngamma = 1e-2\n'
    found = parse_experiment(text + CELL, "recipe").published
    assert [cell.method for cell in found] == ["mild", "strong"]
    by_label = CELL.replace('"l1_sparse"', '"mild"')
    assert [cell.method for cell in parse_experiment(text + by_label, "r").published] == ["mild"]


def test_a_scale_inherits_what_is_published_and_may_lack_its_cells():
    text = TINY + CELL + '[scales.small]\nscenarios = ["random:0.1"]\n'
    assert len(parse_experiment(text, "r", scale="small").published) == 1
    with pytest.raises(ConfigError, match="unknown scenario 'class:4'"):
        parse_experiment(text.replace(CELL, CELL.replace("class:3", "class:4")), "r")


def test_a_part_of_a_recipe_keeps_what_is_published(tmp_path):
    """Blocks about methods and scenarios that `--only` leaves out are no error."""
    path = tmp_path / "r.toml"
    path.write_text(TINY.replace("[methods.l1", "[methods.ft]\n[methods.l1") + CELL + TABLE)
    whole, part = read_experiment(path), read_experiment(path, only="random:0.1,ft")
    assert "l1_sparse" not in part.methods
    assert part.published == whole.published


def test_published_values_change_no_node_and_no_folder(tmp_path):
    """They may be added while a run goes on."""
    without, beside = tiny(), tiny(TINY + TABLE)
    assert ids(planned(tmp_path / "one", without)[0]) == ids(planned(tmp_path / "two", beside)[0])
    folder = tmp_path / "results"
    claim(folder, without)
    before = (folder / SETTINGS).read_text()
    claim(folder, beside)
    claim(folder, without)
    assert (folder / SETTINGS).read_text() == before
    other = tmp_path / "other"
    claim(other, beside)
    claim(other, without)
    assert (other / SETTINGS).read_text() == before


def test_published_values_that_are_added_come_into_results_that_are_there(tmp_path):
    path = tmp_path / RESULTS
    cells = [{"ua": 1.5}]
    keep(path, {"makers": ["monday"], "settings": {}, "cells": cells}, "cells")
    beside = {"makers": ["tuesday"], "settings": {"published": [3]}, "cells": cells}
    found = keep(path, beside, "cells")
    assert (found["makers"], found["settings"]) == (["monday"], {"published": [3]})
    assert keep(path, beside, "cells") == found
    of_part = {**beside, "recipe": {"name": "table", "only": "quick"}}
    assert keep(path, of_part, "cells")["makers"] == ["tuesday"]


@pytest.mark.parametrize(
    ("published", "message"),
    [
        (3, "published must be a list"),
        ([3], "published 1: expected a table, got 3"),
        ([{"scenario": "class:3"}], "published 1: method is missing"),
    ],
)
def test_results_with_published_values_that_are_none_are_refused(published, message):
    from tests.report.conftest import build

    results = build(1)
    results["settings"]["published"] = published
    with pytest.raises(DataError, match=f"results: settings: {message}"):
        check_results(results)
