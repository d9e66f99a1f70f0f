"""The comparison of pruners, as a person at a terminal meets it."""

import json

from tests.studies.test_pruning import RECIPE


def test_tables_a_page_and_a_figure(command, tmp_path):
    recipe, out = tmp_path / "tiny.toml", tmp_path / "out"
    recipe.write_text(RECIPE.replace("[pruners.synflow]\nsparsity = 0.5\nrounds = 5", ""))
    code, _, err = command("pruning", recipe, "--out", out)
    assert code == 2
    assert "synflow" in err
    recipe.write_text(RECIPE[: RECIPE.index("[[pruning.claims]]")])
    code, shown, err = command("pruning", recipe, "--out", out, "--seeds", "1")
    assert code == 0, err
    assert "Cost and accuracy" in shown
    assert "without D_f" in shown
    document = json.loads((out / "pruning.json").read_text())
    assert document["reproduce"].endswith("tiny.toml --seeds 1")
    assert document["settings"]["pruning"]["order"] == 2
    said = document["recipe"]
    assert (said["name"], said["scale"], said["only"]) == ("tiny", "paper", None)
    assert {row["against"] for row in document["overlaps"]} == {"forget", "random", "order"}
    page = (out / "pruning.html").read_text()
    assert "overlap of masks" in page
    assert "### Cost and accuracy" in (out / "pruning.md").read_text()
    assert (out / "pruning-class-3.svg").exists()
    code, shown, err = command("pruning", recipe, "--out", out, "--seeds", "1", "--json")
    assert code == 0, err
    assert json.loads(shown)["pruned"] == document["pruned"]


def test_a_dry_run_makes_nothing(command, tmp_path):
    recipe, out = tmp_path / "tiny.toml", tmp_path / "out"
    recipe.write_text(RECIPE)
    code, shown, err = command("pruning", recipe, "--out", out, "--dry-run", "--json")
    assert code == 0, err
    labels = [node["label"] for node in json.loads(shown)["nodes"]]
    assert any(label.endswith("order 2") for label in labels)
    assert any(label.endswith("without class:3") for label in labels)
    assert not (out / "pruning.json").exists()
