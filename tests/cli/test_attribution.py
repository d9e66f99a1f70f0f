"""Attribution's commands, as a person at a terminal meets them."""

import json
import sys

import pytest
from tests.cli.conftest import ok

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
seeds = [0]
[data]
source = "digits"
train_limit = 80
test_limit = 40
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
batch_size = 20
[methods.retrain]
[attribution]
targets = "draw:4"
retained = [0.5]
subsets = 3
[attribution.attributors.gradient_similarity]
[attribution.weights]
shares = [0.1]
draws = 1
sparsities = [0.5]
[[attribution.claims]]
name = "Salient weights matter more than others"
measure = "ua"
scenario = "class:3"
share = 0.1
first = "product"
second = "random"
effect = 5.0
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one hardly trained model, and its id."""
    from expunge.cli.app import main

    root = tmp_path_factory.mktemp("attribute") / "runs"
    words = f"train --data digits --model resnet8 --width 0.25 --epochs 1 --store {root}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["expunge", *words.split()])
        with pytest.raises(SystemExit):
            main()
    (model,) = (each.name for each in root.iterdir() if each.name.startswith("train-"))
    return root, model


def test_the_worst_mistakes_are_explained_with_pictures(command, store, tmp_path):
    root, model = store
    words = ("attribute", model, "--store", root, "--targets", "wrong:2", "--top", 3)
    out = tmp_path / "why"
    shown = ok(command(*words, "--by", "gradient_similarity", "--measure", "cosine", "--out", out))
    assert shown.count("called") == 2
    assert "helpful" in shown
    page = (out / "explanation.html").read_text()
    assert page.count("<svg") == 1
    assert page.count("data:image/png;base64") >= 8
    assert "<script" not in page
    found = json.loads((out / "explanation.json").read_text())
    assert found["config"]["measure"] == "cosine"
    for target in found["targets"]:
        assert target["class"] != target["called"]
        scores = [sample["score"] for sample in target["helpful"]]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert scores[-1] > 0 > target["harmful"][0]["score"]
        assert target["harmful"][0]["score"] == min(each["score"] for each in target["harmful"])
    # The same again, from the store, as JSON.
    again = json.loads(
        ok(command(*words, "--by", "gradient_similarity", "--measure", "cosine", "--json"))
    )
    assert again["targets"] == found["targets"]
    assert again["scores"] == found["scores"]


def test_targets_are_also_given_by_id_from_a_file_and_of_training_samples(command, store, tmp_path):
    root, model = store
    words = ("attribute", model, "--store", root, "--by", "gradient_similarity", "--json")
    first = json.loads(ok(command(*words, "--targets", "draw:3", "--top", 1)))
    ids = [target["helpful"][0]["id"] for target in first["targets"]]
    names = list(dict.fromkeys(ids))
    listed = tmp_path / "ids.txt"
    listed.write_text("\n".join(names))
    found = json.loads(ok(command(*words, "--targets", f"ids:{listed}", "--top", 1)))
    assert found["population"] == "train"
    assert [target["id"] for target in found["targets"]] == names
    same = json.loads(ok(command(*words, "--targets", ",".join(names), "--top", 1)))
    assert same["scores"] == found["scores"]
    # A training sample helps itself.
    assert all(target["helpful"][0]["score"] > 0 for target in found["targets"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--targets", "nobody"), "neither of training nor of test samples (nobody)"),
        (("--targets", ""), "there are no targets"),
        (("--targets", "wrong:0"), "the number of targets must be"),
        (("--targets", "wrong:many"), "expected a whole number, as in wrong:5"),
        (("--targets", "draw:100000"), "expected at most the 359 test samples"),
        (("--targets", "ids:/no/such"), "cannot read the ids in /no/such"),
        (("--by", "ekfca"), "did you mean 'ekfac'?"),
        (("--by", "unlearning", "--steps", "0"), "steps must be a finite number in 1.."),
        (("--by", "unlearning", "--measure", "dot"), "unknown setting 'measure'"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(command, store, words, message):
    root, model = store
    before = {each.name for each in root.iterdir()}
    code, out, err = command("attribute", model, "--store", root, *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert {each.name for each in root.iterdir()} == before


def test_a_package_that_is_missing_is_named_before_the_work(command, store, monkeypatch):
    root, model = store
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = command("attribute", model, "--store", root, "--by", "ekfac")
    assert code == 2
    assert "install expunge[attribution], or choose one of gradient_similarity, unlearning" in err


def test_attributors_are_listed_with_their_settings(command):
    shown = ok(command("attributors"))
    assert all(name in shown for name in ("ekfac", "gradient_similarity", "unlearning"))
    (found,) = json.loads(ok(command("attributors", "ekfac", "--json")))
    assert found["needs"] == ["curvlinops"]
    assert {row["name"] for row in found["settings"]} >= {"relative_damping", "fisher"}
    assert "--steps" in ok(command("attributors", "unlearning"))
    code, _, err = command("attributors", "nothing")
    assert (code, err.count("\n")) == (2, 1)


def test_a_dry_run_makes_nothing(command, store):
    root, model = store
    before = {each.name for each in root.iterdir()}
    words = ("attribute", model, "--store", root, "--targets", "draw:2", "--steps", "3")
    plan = json.loads(ok(command(*words, "--dry-run", "--json")))
    assert {node["kind"] for node in plan["nodes"]} == {"attribution", "predict"}
    assert {each.name for each in root.iterdir()} == before


def test_the_study_from_its_recipe_to_its_page(command, tmp_path):
    recipe, out = tmp_path / "tiny.toml", tmp_path / "out"
    recipe.write_text(RECIPE)
    plan = json.loads(ok(command("attribution", recipe, "--out", out, "--dry-run", "--json")))
    kinds = [node["kind"] for node in plan["nodes"]]
    assert kinds.count("unlearn") == 6
    assert kinds.count("lds") == 2
    assert not out.exists()
    shown = ok(command("attribution", recipe, "--out", out))
    for title in ("Claims", "Linear datamodelling score", "Forget class 3", "Kept by OMP"):
        assert title in shown
    document = json.loads((out / "attribution.json").read_text())
    assert document["reproduce"] == f"expunge attribution {recipe}"
    (claim,) = document["claims"]
    assert (claim["verdict"], claim["n"]) == ("not settled", 0)  # one seed settles nothing
    page = (out / "attribution.html").read_text()
    assert page.count("<svg") == 3
    assert "data:image/png;base64" in page
    written = (out / "attribution.json").stat().st_mtime_ns
    again = json.loads(ok(command("attribution", recipe, "--out", out, "--json")))
    assert again["scores"] == document["scores"]
    assert (out / "attribution.json").stat().st_mtime_ns == written
    fewer = json.loads(
        ok(command("attribution", recipe, "--out", out, "--subsets", 4, "--dry-run", "--json"))
    )
    assert 0 < fewer["missing"] < len(fewer["nodes"])
    code, _, err = command("attribution", recipe, "--out", out, "--subsets", 4)
    assert code == 2
    assert "other settings (attribution" in err


def test_a_recipe_of_a_grid_is_told_what_it_lacks(command, tmp_path):
    recipe = tmp_path / "grid.toml"
    recipe.write_text(RECIPE.partition("[attribution]")[0])
    code, _, err = command("attribution", recipe, "--out", tmp_path / "out")
    assert code == 2
    assert "expected a table [attribution]" in err
    assert not (tmp_path / "out").exists()


def test_the_most_memorised_are_forgotten_by_a_command(command, store):
    root, model = store
    words = ("unlearn", model, "--store", root, "--forget", "memorised:0.05:2")
    ok(command(*words, "--method", "ga", "--epochs", 1))
    made = {each.name.rpartition("-")[0] for each in root.iterdir()}
    assert {"memorisation", "subsets"} <= made
