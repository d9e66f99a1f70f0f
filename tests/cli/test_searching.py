"""`expunge bench` of a recipe whose settings are searched."""

import json

import pytest

RECIPE = """
title = "Searched"
scenarios = ["class:3"]
metrics = ["ua", "ra", "ta", "mia_efficacy"]
[data]
source = "digits"
train_limit = 100
test_limit = 60
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 0
[methods.retrain]
[methods.ga]
epochs = 1
[methods.ga.search]
seed = 3
trials = 2
ranges = { lr = "1e-4:0.01:log" }
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "searched.toml"
    path.write_text(RECIPE)
    return path


def test_the_plan_says_what_searches_may_add(command, recipe, tmp_path):
    words = ("bench", recipe, "--out", tmp_path / "out", "--dry-run")
    code, out, err = command(*words)
    assert code == 0, err
    assert "Before it come 1 searches of 2 trials in all: at most" in out
    code, out, err = command(*words, "--json")
    before = json.loads(out)["before"]
    assert (before["searches"], before["trials"]) == (1, 2)
    assert before["nodes_at_most"] > 2


def test_trials_are_told_and_their_best_is_in_the_table(command, recipe, tmp_path):
    code, out, err = command("bench", recipe, "--out", tmp_path / "out", "--json")
    assert code == 0, err
    assert "search of ga in class:3, dense, by oracle: trial 1/2  lr=0.0001: " in err
    document = json.loads(out)
    (search,) = document["searches"]
    (cell,) = (cell for cell in document["cells"] if cell["method"] == "ga")
    assert cell["chosen_by"] == "oracle"
    assert cell["config"]["lr"] == search["searched"]["lr"]
    again = command("bench", recipe, "--out", tmp_path / "out", "--json")
    assert json.loads(again[1])["searches"] == document["searches"]


def test_searching_on_a_seed_of_the_table_is_refused(command, recipe, tmp_path):
    code, _, err = command("bench", recipe, "--out", tmp_path / "out", "--seeds", 4)
    assert code == 2
    assert "methods.ga.search: seed 3 is one of the table's, [0, 1, 2, 3]" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_experiment_is_refused_before_any_trial(command, recipe, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "results.json").write_text("{}")
    words = ("bench", recipe, "--out", out)
    said = f"{out} holds results of unknown settings: choose another --out\n"
    assert command(*words) == (2, "", f"error: {said}")
    assert [path.name for path in out.iterdir()] == ["results.json"]
    # What it would cost may be asked all the same.
    code, printed, err = command(*words, "--dry-run")
    assert code == 0
    assert f"note: without --dry-run this is refused: {said}" in err
    assert "Before it come 1 searches" in printed
    (out / "experiment.json").write_text('{"title": "Another"}')
    code, printed, err = command(*words)
    assert (code, printed) == (2, "")
    (line,) = err.splitlines()
    assert "holds an experiment with other settings (title: 'Another' there" in line
    assert (out / "results.json").read_text() == "{}"


def test_data_that_cannot_be_planned_reserve_no_folder(command, recipe, tmp_path):
    recipe.write_text(RECIPE.replace('"class:3"', '"class:11"'))
    code, _, err = command("bench", recipe, "--out", tmp_path / "out")
    assert code == 2
    assert "unknown class '11'" in err
    assert not [*(tmp_path / "out").glob("*.json")]
