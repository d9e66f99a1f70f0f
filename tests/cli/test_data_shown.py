"""What a command says about its data before it starts, and that bad data leave nothing behind."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from expunge.data.facts import resolve
from expunge.data.spec import DataSpec
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.runs import Store

RECIPE = """
title = "photos"
scenarios = ["class:cat"]
[data]
source = "{source}"
class_names = ["dog", "cat", "emu"]
[network]
name = "resnet8"
[training]
epochs = 1
[methods.ft]
"""


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for path in [f"{c}/test-{n}.png" for c in ("cat", "dog") for n in range(5)]:
        file = tmp_path / "photos" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(file)
    (tmp_path / "photos" / "Thumbs.db").write_bytes(b"x")
    return tmp_path / "photos"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EXPUNGE_CACHE", str(tmp_path / "cache"))


def test_a_plan_shows_what_was_read(command, photos, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(source=photos))
    for _ in range(2):  # the second time the facts are from the cache
        code, _, err = command("bench", recipe, "--dry-run", "--out", tmp_path / "out")
        assert code == 0
        assert err.splitlines() == [
            "photos: 10 images of 1x8x8, 3 classes, no split",
            "  train: 8 (dog: 4, cat: 4)",
            "  test: 2 (dog: 1, cat: 1), taken from the training data",
            "  ids: hashes of the images",
            "note: left out (1) files that are not images: Thumbs.db",
            "note: no training sample in 1 of 3 classes: emu",
            "class:cat: 4 of 8 training samples to forget",
        ]
    assert not (tmp_path / "out").exists()


def test_edits_are_shown_and_what_they_change_is_counted_afterwards(command, photos, tmp_path):
    """A class is of the labels that are trained on, so before the edit its size is not known."""
    recipe = tmp_path / "recipe.toml"
    text = RECIPE.format(source=photos).replace(
        '["class:cat"]', '["class:cat", "random:0.5", "edited:relabel"]\nmetrics = ["ta"]'
    )
    recipe.write_text(f"{text}epochs = 1\n[data.edits.relabel]\nshare = 0.1\n")
    _, _, planned = command("bench", recipe, "--dry-run", "--out", tmp_path / "out")
    assert "  then edited: relabel (share 0.1)" in planned.splitlines()
    assert "samples to forget" not in planned
    for _ in range(2):  # the second time nothing is made
        code, _, err = command("bench", recipe, "--out", tmp_path / "out")
        assert code == 0, err
        chosen = {
            each["scenario"]: len(each["ids"])
            for path in (tmp_path / "out" / "runs").rglob("forget.json")
            for each in [json.loads(path.read_text())]
        }
        assert chosen["class:cat"] != 4
        assert chosen["edited:relabel"] == 1
        assert sorted(line for line in err.splitlines() if "samples to forget" in line) == sorted(
            f"{scenario}: {count} of 8 training samples to forget"
            for scenario, count in chosen.items()
        )


@pytest.mark.parametrize("what", ["damaged", "missing", "empty"])
def test_data_that_cannot_be_read_leave_nothing_behind(command, photos, tmp_path, what):
    recipe = tmp_path / "recipe.toml"
    source = {"damaged": photos, "missing": tmp_path / "absent.csv", "empty": tmp_path / "none"}
    (tmp_path / "none").mkdir()
    (photos / "cat" / "test-0.png").write_bytes(b"no image")
    recipe.write_text(RECIPE.format(source=source[what]))
    code, _, err = command("bench", recipe, "--out", tmp_path / "out")
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert not (tmp_path / "out").exists()
    code, _, err = command(
        "train", "--data", source[what], "--model", "resnet8", "--store", tmp_path / "store"
    )
    assert (code, err.count("\n")) == (2, 1)
    assert not (tmp_path / "store").exists()


def test_names_of_classes_come_from_a_file(command, photos, tmp_path):
    (tmp_path / "names.txt").write_text("dog\n")
    code, _, err = command(
        *("train", "--data", photos, "--model", "resnet8", "--store", tmp_path / "store"),
        *("--class-names", f"@{tmp_path / 'names.txt'}"),
    )
    assert code == 2
    assert "the data have the classes cat, which are not among the 1 given: dog" in err


def test_two_sets_of_data_are_each_shown_whole(tmp_path):
    graph = Graph(Store(tmp_path / "runs"))
    plain = DataSpec(source="digits", train_limit=60)
    edited = replace(plain, edits={"relabel": {"share": 0.5}})
    for spec in (plain, edited, edited):
        add_data(graph, spec, resolve(spec, tmp_path / "cache"))
    assert [note.count("digits: ") for note in graph.notes] == [1, 1]
    assert [note.count("train: 60") for note in graph.notes] == [1, 1]
    assert ["then edited: relabel" in note for note in graph.notes] == [False, True]
