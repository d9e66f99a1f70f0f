"""`expunge bench RECIPE --explain`."""

import json

import pytest
from tests.cli.conftest import ok
from tests.report.conftest import build
from tests.studies.small import TINY

PUBLISHED = '\n[[published]]\ntable = "main-table"\n'


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    path = tmp_path / "recipes" / "small.toml"
    path.write_text(TINY + PUBLISHED)
    return path


def test_a_recipe_without_results_is_explained_and_nothing_is_run(command, recipe, tmp_path):
    out = ok(command("bench", recipe, "--explain"))
    assert "ours:      epochs 2" in out
    assert "Results: none of this recipe yet" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipes"]


def test_results_of_the_recipe_say_what_differences_cost(command, recipe, tmp_path):
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    (folder / "here.json").write_text(json.dumps(build(2)))
    (folder / "damaged.json").write_text("{")
    code, out, err = command("bench", recipe, "--explain", "--json")
    assert code == 0, err
    assert err.startswith("not read: ")
    found = json.loads(out)
    assert found["results"] == str(folder / "here.json")
    by_name = {step["name"]: step for step in found["steps"]}
    assert {cost["n"] for cost in by_name["reference of sparse models"]["costs"]} == {2}
    assert by_name["epochs"]["costs"] == []
    assert by_name["epochs"]["not_measured"].startswith("run a copy of ")
    # Those of a run stand before those that are committed.
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "results.json").write_text(json.dumps(build(1)))
    found = json.loads(ok(command("bench", recipe, "--explain", "--json")))
    assert found["results"] == "small/results.json"


def test_results_of_another_scale_are_not_the_recipes(command, recipe, tmp_path):
    recipe.write_text(recipe.read_text() + "[scales.less]\nseeds = [0]\n")
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    (folder / "here.json").write_text(json.dumps(build(2)))
    found = json.loads(ok(command("bench", recipe, "--explain", "--json", "--scale", "less")))
    assert found["results"] is None


def test_a_recipe_that_names_nothing_published_is_refused(command, recipe):
    recipe.write_text(TINY)
    code, _, err = command("bench", recipe, "--explain")
    assert code == 2
    assert err == (
        f"error: {recipe} names no published values: add [[published]] to compare with\n"
    )
