"""What a command is to write is checked before any work, and what is there is left as it is."""

import json
import os
import subprocess
import sys

import pytest
import typer
from tests.cli.conftest import ok
from tests.report.conftest import build

from expunge.atomic import this_host

RECIPE = 'title = "T"\nscenarios = ["class:3"]\n[data]\nsource = "digits"\n[network]\nname = "resnet8"\n[training]\n[methods.retrain]\n'  # noqa: E501
FOLDERS = {
    "bench": ["bench", "recipe.toml", "--out"],
    "demo": ["demo", "--out"],
    "theory": ["theory", "recipe.toml", "--out"],
    "report": ["report", "results.json", "--out"],
}
FILES = {
    "unlearn": ["unlearn", "train-1a2b", "--forget", "class:3", "--out"],
    "tune": ["tune", "ga", "--run", "train-1a2b", "--forget", "class:3", "--out"],
    "graph": ["bench", "recipe.toml", "--dry-run", "--graph"],
}
PICTURED = {
    "attribute": ["attribute", "train-1a2b", "--by", "tracin"],
    "attribution": ["attribution", "recipe.toml"],
    "bench": ["bench", "recipe.toml"],
    "cleanse": ["cleanse", "train-1a2b"],
    "demo": ["demo"],
    "influence": ["influence", "train-1a2b"],
    "pruning": ["pruning", "recipe.toml"],
    "theory": ["theory", "recipe.toml"],
    "transfer": ["transfer", "recipe.toml"],
    "transfer-run": ["transfer-run", "train-1a2b"],
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "a-file").write_text("mine")
    (tmp_path / "a-folder").mkdir()
    return tmp_path


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(command, here, words, message):
    before = names(here)
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert message in line
    assert names(here) == before
    assert (here / "a-file").read_text() == "mine"


@pytest.mark.parametrize("words", FOLDERS.values(), ids=FOLDERS)
@pytest.mark.parametrize("out", ["a-file", "a-file/deep/out"])
def test_a_file_where_a_folder_is_to_be(command, here, words, out):
    refused(command, here, [*words, out], "a-file is a file, expected a folder: choose another")


@pytest.mark.parametrize("words", FILES.values(), ids=FILES)
@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("a-folder", "a-folder is a folder, expected a file"),
        ("none/out.safetensors", "the folder none does not exist: make it, or choose another"),
        ("a-file/out.safetensors", "the folder a-file is a file: make it, or choose another"),
    ],
)
def test_a_file_that_cannot_be_there(command, here, words, out, message):
    if words[0] == "unlearn" and out == "a-folder":
        out = "a.safetensors"
        (here / out).mkdir()
        message = "a.safetensors is a folder, expected a file"
    refused(command, here, [*words, out], message)


@pytest.mark.parametrize("words", [*FOLDERS.values(), *FILES.values()], ids=[*FOLDERS, *FILES])
def test_a_folder_that_may_not_be_written(command, here, monkeypatch, words):
    real = os.access
    sealed = str((here / "a-folder").absolute())

    def access(path, mode, **settings):
        return str(here / path) != sealed and real(path, mode, **settings)

    monkeypatch.setattr(os, "access", access)
    refused(command, here, [*words, "a-folder/new.safetensors"], "may not be written")


def test_what_a_killed_command_left_goes_before_the_work(command, here):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    left = here / "a-folder" / f".expunge-{this_host()}-{process.pid}-0123456789abcdef.json"
    for path in (left, here / "a-folder" / "results.json.partial"):
        path.write_text("")
    command("bench", "none.toml", "--out", "a-folder")
    assert left.exists()
    command("bench", "recipe.toml", "--out", "a-folder", "--dry-run")
    assert names(here / "a-folder") == ["results.json.partial"]


WRITTEN = {
    "csv": (["report", "results/grid/here.json", "--export", "csv"], "table.csv"),
    "csv, into a folder": (["report", "results/grid/here.json", "--export", "csv"], "results.csv"),
    "markdown": (["report", "results/grid/here.json", "--export", "markdown"], "table.md"),
    "latex": (["report", "results/grid/here.json", "--export", "latex"], "table.tex"),
    "graph": (["bench", "recipe.toml", "--dry-run", "--graph"], "graph.svg"),
    "leaderboard, Markdown": (["leaderboard", "results", "--out"], "board.md"),
    "leaderboard, HTML": (["leaderboard", "results", "--out"], "board.html"),
}
FOREIGN = {
    "results": json.dumps(build(1)),
    "notes": "# Leaderboards\n\nMine.\n",
    "a picture": '<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "a page": "<!DOCTYPE html>\n<html><body>Mine.</body></html>",
}


@pytest.fixture
def with_results(here):
    (here / "results" / "grid").mkdir(parents=True)
    (here / "results" / "grid" / "here.json").write_text(json.dumps(build(2)))
    return here


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize(("words", "name"), WRITTEN.values(), ids=WRITTEN)
def test_another_file_is_not_replaced(command, with_results, words, name, foreign):
    there = with_results / name
    there.write_text(foreign)
    place = "." if name == "results.csv" else name
    refused(command, with_results, [*words, place], "exists and is not what this command writes")
    assert there.read_text() == foreign


@pytest.mark.parametrize("before", ["its own", "empty"])
@pytest.mark.parametrize(("words", "name"), WRITTEN.values(), ids=WRITTEN)
def test_its_own_file_is_replaced(command, with_results, words, name, before):
    there = with_results / name
    place = "." if name == "results.csv" else name
    ok(command(*words, place))
    written = there.read_text()
    there.write_text("" if before == "empty" else written + "more")
    ok(command(*words, place))
    assert there.read_text() == written


def test_an_existing_picture_is_not_replaced_by_images(command, here):
    (here / "mine.png").write_bytes(b"\x89PNG mine")
    words = ["generate", "train-1a2b", "--out", "mine.png"]
    refused(command, here, words, "mine.png already exists: expected a new name")
    assert (here / "mine.png").read_bytes() == b"\x89PNG mine"


@pytest.mark.parametrize("name", PICTURED)
def test_a_graph_is_drawn_of_a_plan_alone(command, here, name):
    words = [*PICTURED[name], "--graph", "plan.svg"]
    refused(command, here, words, "--graph plan.svg draws what --dry-run plans: add --dry-run")


@pytest.mark.parametrize("where", [0, 1])
def test_a_graph_is_a_picture_in_svg(command, here, where):
    words = ["bench", "recipe.toml", "--dry-run"]
    words[len(words) - where : len(words) - where] = ["--graph", "plan.png"]
    refused(command, here, words, "--graph plan.png: expected a name that ends in .svg")


def test_every_command_that_draws_its_plan_is_tried_here():
    from expunge.cli.app import app

    drawing = {
        name
        for name, each in typer.main.get_command(app).commands.items()
        if any(each_option.name == "picture" for each_option in each.params)
    }
    assert drawing == set(PICTURED)
