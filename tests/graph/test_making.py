"""How a node is made: its threads, and a record of what made it, whoever reads it later."""

import os
import subprocess
import sys

import pytest
import torch
from tests.conftest import ROOT
from tests.graph.spies import line_up, spy
from tests.studies.small import HERE, made, planned, tiny

from expunge.engines import Engine, run
from expunge.errors import StoreError
from expunge.graph import make
from expunge.graph.runtime import Runtime
from expunge.runs import Store, environment
from expunge.studies.folder import collect_grid
from expunge.studies.made import Makers

ONE_CELL = {"scenarios": ("class:3",), "pruners": {}, "metrics": ("ua", "ta")}


def on(monkeypatch, cpu):
    """Let this be another machine."""
    found = {**environment(), "cpu": cpu}
    monkeypatch.setattr(make, "environment", lambda: found)


def test_a_document_says_what_made_its_cells_not_who_reads_them(tmp_path, monkeypatch):
    experiment = tiny(**ONE_CELL, methods={"retrain": {}})
    with monkeypatch.context() as patch:
        on(patch, "the maker's")
        _, cells = made(tmp_path, experiment)
    on(monkeypatch, "the reader's")
    graph, cells = made(tmp_path, experiment, Engine(name="processes", workers=2))
    document = collect_grid(graph.store, experiment, cells, "again")
    (maker,) = document["makers"]
    assert maker["cpu"] == "the maker's"
    assert (maker["engine"], maker["device"], maker["precision"]) == ("here", "cpu", "32-true")
    assert (maker["threads"], len(maker["code"])) == (1, 16)
    assert [cell["made_by"] for cell in document["cells"]] == [0, 0]


def test_cells_of_two_makers_are_told_apart(tmp_path, monkeypatch):
    first = tiny(**ONE_CELL, methods={"retrain": {}})
    both = tiny(**ONE_CELL, methods={"retrain": {}, "ft": {"epochs": 1}})
    with monkeypatch.context() as patch:
        on(patch, "one")
        made(tmp_path, first)
    on(monkeypatch, "another")
    graph, cells = made(tmp_path, both)
    document = collect_grid(graph.store, both, cells, "again")
    assert [maker["cpu"] for maker in document["makers"]] == ["one", "another"]
    by = {cell["method"]: cell["made_by"] for cell in document["cells"]}
    assert by == {"original": 0, "retrain": 0, "ft": 1}


def test_the_same_machine_on_another_day_is_the_same_maker(tmp_path, monkeypatch):
    spy(monkeypatch, lambda *_: None)
    graph, names = line_up(tmp_path, [[], []])
    for number, name in enumerate(names):
        found = {**environment(), "date": f"2020-01-0{number + 1}T00:00:00+00:00"}
        monkeypatch.setattr(make, "environment", lambda found=found: found)
        make.make_node(graph.store, graph.node(name), Runtime(HERE), "spy", "here")
    makers = Makers()
    assert [makers.of(graph.store.path(name)) for name in names] == [0, 0]
    assert makers.listed[0]["date"].startswith("2020-01-01")


def test_a_record_holds_what_the_node_took(tmp_path, monkeypatch):
    spy(monkeypatch, lambda *_: None)
    graph, (name,) = line_up(tmp_path, [[]])
    seconds = make.make_node(graph.store, graph.node(name), Runtime(HERE), "a label", "here")
    found = graph.store.open(name).made
    assert (found["label"], found["engine"], found["seconds"]) == ("a label", "here", seconds)
    assert found["peak_memory_mib"] is None or found["peak_memory_mib"] > 1
    assert make.make_node(graph.store, graph.node(name), Runtime(HERE), "", "here") is None


def test_a_parent_that_is_not_there_is_named(tmp_path, monkeypatch):
    spy(monkeypatch, lambda *_: None)
    graph, (first, second) = line_up(tmp_path, [[], [0]])
    with pytest.raises(StoreError, match=f"{second} needs {first}, which is not in the store"):
        make.make_node(graph.store, graph.node(second), Runtime(HERE), "", "here")
    assert not graph.store.has(second)


def test_a_node_computes_with_its_own_threads(tmp_path, monkeypatch):
    seen = []
    spy(monkeypatch, lambda *_: seen.append(torch.get_num_threads()))
    graph, _ = line_up(tmp_path, [[], [], [], []], threads=[2, 1, 2, 1])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        run(graph, Engine(), HERE)
    finally:
        torch.set_num_threads(before)
    assert seen == [2, 1, 2, 1]
    assert [graph.store.open(node.id).made["threads"] for node in graph] == [2, 1, 2, 1]


def test_what_does_not_compute_leaves_the_threads_alone(tmp_path, monkeypatch):
    seen = []
    spy(monkeypatch, lambda *_: seen.append(torch.get_num_threads()), computes=False)
    graph, _ = line_up(tmp_path, [[]], threads=[3])
    before = torch.get_num_threads()
    run(graph, Engine(), HERE)
    assert seen == [before]


COUNTING = """
import sys, torch
from pathlib import Path
import pytest
from tests.graph.spies import line_up, spy
from tests.studies.small import HERE
from expunge.engines import Engine, run
with pytest.MonkeyPatch.context() as patch:
    spy(patch, lambda *_: print(torch.get_num_threads()))
    graph, _ = line_up(Path(sys.argv[1]), [[], []], threads=[2, 1])
    run(graph, Engine(), HERE)
"""


def test_the_variable_for_threads_does_not_override_them(tmp_path):
    words = [sys.executable, "-c", COUNTING, tmp_path]
    environ = {**os.environ, "OMP_NUM_THREADS": "3"}
    assert subprocess.check_output(words, cwd=ROOT, env=environ, text=True).split() == ["2", "1"]


def test_every_model_of_a_grid_has_the_threads_of_its_network(tmp_path):
    experiment = tiny()
    for threads, network in (
        (1, experiment.network),
        (3, type(experiment.network)(name="resnet8", width=0.25, threads=3)),
        (2, type(experiment.network)(name="resnet18")),
    ):
        graph, _ = planned(tmp_path, tiny(network=network))
        kinds = {"train", "prune", "unlearn", "predict"}
        assert {node.params["threads"] for node in graph if node.kind in kinds} == {threads}


@pytest.mark.slow
def test_several_processes_make_the_same_bits_as_one(tmp_path):
    """Predictions and weights, by their digests."""
    experiment = tiny(scenarios=("class:3",), metrics=("ua", "ta"))
    found = []
    for name, engine in (("here", Engine()), ("two", Engine(name="processes", workers=2))):
        graph, _ = made(tmp_path / name, experiment, engine)
        artefacts = [Store(tmp_path / name).open(node.id) for node in graph]
        assert {artefact.made["engine"] for artefact in artefacts} == {engine.name}
        found.append(
            {
                (artefact.id, file): content.blake2b
                for artefact in artefacts
                for file, content in artefact.contents.items()
                if file.endswith(".safetensors") or artefact.node.kind == "measure"
            }
        )
    assert found[0] == found[1]
    assert len(found[0]) > 20
