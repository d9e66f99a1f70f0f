"""`expunge leaderboard`, as a person at a terminal meets it."""

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """A folder of results beside one of recipes."""
    for name in ("results/mislabelled-digits", "recipes"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(ROOT / "recipes/mislabelled-digits.toml", tmp_path / "recipes")
    there = next((ROOT / "results/mislabelled-digits").glob("*.json"))
    shutil.copy(there, tmp_path / "results/mislabelled-digits/here.json")
    return tmp_path / "results"


def test_it_prints_and_gives_json(folder, command):
    code, out, err = command("leaderboard", folder)
    assert (code, err) == (0, "")
    for text in ("mislabelled-digits", "ℓ1-sparse", "told apart", "mislabelled-digits/here.json"):
        assert text in out
    code, out, err = command("leaderboard", folder, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["unread"] == []
    assert {board["recipe"] for board in found["boards"]} == {"mislabelled-digits"}
    assert [board["differs"] for board in found["boards"]] == [[]] * 6
    assert found["boards"][0]["rows"][0]["n"] == 3


def test_the_page_is_markdown_or_html(folder, command, tmp_path):
    code, out, _ = command("leaderboard", folder, "--out", tmp_path / "board.md")
    assert code == 0
    assert str(tmp_path / "board.md") in out
    assert (tmp_path / "board.md").read_text().startswith("# Leaderboard")
    assert command("leaderboard", folder, "--out", tmp_path / "board.html")[0] == 0
    html = (tmp_path / "board.html").read_text()
    assert "<h2>mislabelled-digits</h2>" in html
    code, out, err = command("leaderboard", folder, "--out", tmp_path / "board.pdf")
    assert (code, out) == (2, "")
    assert "expected a file that ends in .md or .html" in err


def test_a_recipe_that_has_changed_or_is_gone_is_said(folder, command):
    recipe = folder.parent / "recipes/mislabelled-digits.toml"
    recipe.write_text(recipe.read_text().replace("train_limit = 600", "train_limit = 500"))
    shown = " ".join(command("leaderboard", folder)[1].split())
    assert "not those of the recipe as it is now: data.train_limit." in shown
    recipe.unlink()
    shown = " ".join(command("leaderboard", folder)[1].split())
    assert "there is no mislabelled-digits.toml in" in shown


def test_what_cannot_be_read_is_named_and_the_page_still_written(folder, command, tmp_path):
    (folder / "mislabelled-digits/other.json").write_text('{"schema": 9}')
    code, out, err = command("leaderboard", folder, "--out", tmp_path / "board.md")
    assert code == 1
    assert err.startswith("not read: ")
    assert "expected schema 1 or 2, got 9" in err
    assert "Not read: " in (tmp_path / "board.md").read_text()
    code, out, err = command("leaderboard", tmp_path / "none")
    assert (code, out) == (2, "")
    assert err.startswith("error: expected a folder of results")
