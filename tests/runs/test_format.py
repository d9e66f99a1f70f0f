"""The store says its format; others are refused by name, and never mixed."""

import json
import os
import shutil

import pytest

from expunge.errors import StoreError
from expunge.runs import Node, Store
from expunge.runs.format import FORMAT

NODE = Node(kind="train", version=1, params={})


def make(store, node=NODE):
    with store.create(node):
        pass


@pytest.fixture
def old(tmp_path):
    """A root as format 1 left it."""
    run = tmp_path / "runs" / "train-0123456789abcdef"
    run.mkdir(parents=True)
    (run / "spec.json").write_text(
        json.dumps({"kind": "train", "settings": {}, "parents": {}, "code": "1"})
    )
    (run / "manifest.json").write_text(json.dumps({"created": "2024-01-01", "files": {}}))
    return tmp_path / "runs"


def files(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_the_first_artefact_marks_the_root(tmp_path):
    store = Store(tmp_path / "runs")
    assert not store.root.exists()
    make(store)
    assert json.loads((store.root / "store.json").read_text()) == {"format": FORMAT}
    before = (store.root / "store.json").stat()
    make(Store(store.root), Node(kind="train", version=2, params={}))
    assert (store.root / "store.json").stat() == before
    assert len(Store(store.root).list()) == 2


def test_an_older_store_is_refused_with_the_way_out(old):
    there = files(old)
    with pytest.raises(StoreError) as caught:
        Store(old)
    assert str(caught.value) == (
        f"the store {old} was written by an older version of expunge (format 1, expected 2) "
        "and is not damaged: choose another --store or --out, and make the runs again "
        "with the recipe"
    )
    assert files(old) == there


def test_formats_are_not_mixed_by_a_store_that_was_opened_before(tmp_path, old):
    late = tmp_path / "late"
    store = Store(late)
    with pytest.raises(StoreError, match="older version"), store.create(NODE):
        shutil.copytree(old, late, dirs_exist_ok=True)
    assert not store.has(NODE)
    assert not (late / "store.json").exists()


def test_a_folder_without_artefacts_may_become_a_store(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "train-not-an-id").mkdir()
    make(Store(tmp_path))
    assert Store(tmp_path).has(NODE)


@pytest.mark.parametrize(
    ("marker", "match"),
    [
        ({"format": 3}, r"a newer version of expunge \(format 3, expected 2\): use that version"),
        ({"format": 1}, r"store.json must say format 2, got 1"),
        ({"format": "2"}, r"store.json must say format 2, got '2'"),
        ({"format": True}, r"store.json must say format 2, got True"),
        ({}, r"store.json must say format 2, got None"),
        ([], r"store.json must hold a JSON object, got list"),
    ],
)
def test_other_markers_are_refused_by_name(tmp_path, marker, match):
    store = Store(tmp_path)
    make(store)
    (tmp_path / "store.json").write_text(json.dumps(marker))
    for use in (lambda: Store(tmp_path), lambda: make(store, Node(kind="a", version=1, params={}))):
        with pytest.raises(StoreError, match=match):
            use()
    assert store.ids() == {NODE.id}


def test_the_first_artefact_made_while_another_process_opens_the_store(tmp_path, monkeypatch):
    """It sees no marker, then lists the artefact: the marker is there by then."""
    scandir = os.scandir
    made = []

    def late(path):
        if not made:
            made.append(True)
            make(Store(tmp_path))
        return scandir(path)

    tmp_path.joinpath("notes").mkdir()
    monkeypatch.setattr(os, "scandir", late)
    assert Store(tmp_path).has(NODE)
    assert made
