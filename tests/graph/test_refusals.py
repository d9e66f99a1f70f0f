"""What is refused: in one line, with what to do, before any work."""

import json

import numpy as np
import pytest
from tests.graph.spies import line_up, spy
from tests.studies.small import HERE, TINY

from expunge.cli import main
from expunge.data.facts import resolve
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.errors import ConfigError, DataError, StoreError
from expunge.graph.graph import Graph, check_kind
from expunge.graph.kinds import KINDS
from expunge.graph.kinds.data import add_data
from expunge.runs import Node, Store
from expunge.runs.node import LARGEST


def test_a_kind_that_there_is_not_is_named_with_those_that_there_are(tmp_path):
    graph = Graph(Store(tmp_path))
    with pytest.raises(ConfigError, match=r"unknown kind of node 'trian'.*did you mean 'train'"):
        graph.add("trian", {})
    with pytest.raises(ConfigError, match="unknown kind of node 'later'"):
        check_kind(Node(kind="later", version=1, params={}))


def test_a_node_of_a_newer_version_is_not_made(tmp_path):
    node = Node(kind="empty", version=KINDS["empty"].version + 1, params={})
    with pytest.raises(StoreError, match=r"has version 2 of kind empty, and this expunge knows 1"):
        check_kind(node)
    check_kind(Node(kind="empty", version=1, params={}))


def test_a_parent_that_is_nowhere_is_refused(tmp_path):
    with pytest.raises(StoreError, match="has no train-0123456789abcdef"):
        Graph(Store(tmp_path)).add("empty", {}, {"model": "train-0123456789abcdef"})


def test_a_node_is_small(tmp_path):
    with pytest.raises(ConfigError, match=f"at most {LARGEST}: keep lists in a file"):
        Graph(Store(tmp_path)).add("empty", {"ids": ["x" * 16] * 400})


@pytest.fixture
def refused(monkeypatch, capsys):
    """Run a command line that must fail: its one line of error."""

    def refused(*words):
        monkeypatch.setattr("sys.argv", ["expunge", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert caught.value.code == 2
        assert out == ""
        (line,) = [line for line in err.splitlines() if line.strip()]
        return line

    return refused


@pytest.fixture
def made_by_another(tmp_path, monkeypatch):
    """A store with an artefact of a kind, and of a version, that this version does not know."""

    def made_by_another(version):
        with monkeypatch.context() as patch:
            spy(patch, lambda *_: None, is_model=True)
            graph, (name,) = line_up(tmp_path / "runs", [[]])
            run(graph, Engine(), HERE)
        if version is None:
            return name
        with monkeypatch.context() as patch:
            newer = {**vars(KINDS["empty"]), "version": version}
            patch.setitem(KINDS, "empty", type(KINDS["empty"])(**newer))
            graph, (name,) = line_up(tmp_path / "runs", [[]], kind="empty")
            run(graph, Engine(), HERE)
        return name

    return made_by_another


@pytest.mark.parametrize(
    "words", [["prune"], ["unlearn", "--forget", "class:3"], ["evaluate"]], ids=lambda w: w[0]
)
def test_a_model_of_an_unknown_kind_is_refused(refused, made_by_another, tmp_path, words):
    name = made_by_another(None)
    line = refused(words[0], name, *words[1:], "--store", tmp_path / "runs")
    assert f"{name} is not a model: expected a run of kind train, prune, unlearn" in line


def test_what_this_version_does_not_know_is_listed_all_the_same(
    made_by_another, tmp_path, monkeypatch, capsys
):
    names = {made_by_another(None), made_by_another(7)}
    monkeypatch.setattr("sys.argv", ["expunge", "runs", "list", "--store", str(tmp_path / "runs")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)


def test_a_store_of_the_old_layout_is_refused_with_what_to_do(refused, tmp_path):
    old = tmp_path / "old" / "train-0123456789abcdef"
    old.mkdir(parents=True)
    (old / "spec.json").write_text("{}")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    for words in (
        ["bench", recipe, "--out", tmp_path / "out", "--store", tmp_path / "old"],
        ["prune", "train", "--store", tmp_path / "old"],
        ["runs", "list", "--store", tmp_path / "old"],
    ):
        line = refused(*words)
        assert "was written by an older version of expunge (format 1, expected 2)" in line
        assert "choose another --store or --out" in line
        assert "damaged" not in line.replace("not damaged", "")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        (("", ""), ["--engine", "proceses"], "unknown engine 'proceses'"),
        (("", ""), ["--workers", "2", "--devices", "2"], "devices=2 cannot be combined"),
        (('"drift"', '"drft"'), [], "unknown metric 'drft'"),
        (('"class:3"', '"class:11"'), [], "unknown class '11'"),
        (('"random:0.1"', '"random:0.001"'), [], "is empty"),
        (('"random:0.1"', '"ids:nowhere.csv"'), [], "nowhere.csv"),
        (('"resnet8"', '"resnet9"'), [], "unknown model 'resnet9'"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_before_any_work(
    refused, tmp_path, change, words, message
):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY.replace(*change))
    line = refused("bench", recipe, "--out", tmp_path / "out", "--device", "cpu", *words)
    assert line.startswith("error: ")
    assert message in line
    assert not Store(tmp_path / "out" / "runs").ids()
    assert not list((tmp_path / "out").glob("*.json"))


def test_a_recipes_data_that_changed_since_it_was_planned_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = DataSpec(source="data.npz")

    def write(seed):
        images = np.random.default_rng(seed).integers(0, 255, (40, 8, 8), dtype=np.uint8)
        labels = np.arange(40) % 4
        np.savez("data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    write(0)
    graph = Graph(Store(tmp_path / "runs"))
    node = add_data(graph, spec, resolve(spec, tmp_path / "cache"))
    write(1)
    with pytest.raises(DataError, match=r"has changed since this was planned.*run the command"):
        run(graph, Engine(), HERE)
    assert not graph.store.has(node)
    assert json.loads(json.dumps(graph.node(node).where))["source"] == "data.npz"
