"""What a command is to write is checked before any work, and what is there is left as it is."""

import os
import subprocess
import sys

import pytest

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
