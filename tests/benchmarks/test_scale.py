"""Planning and engines, measured small: every figure is there, and of what it says."""

import json

import pytest

from benchmarks import scale, scale_case
from expunge.graph.graph import Graph
from expunge.runs import Store


def test_the_measured_grid_has_parents_as_a_grid_has(tmp_path):
    graph = Graph(Store(tmp_path))
    scale_case.add_grid(graph, 101)
    nodes = list(graph)
    assert len(nodes) == 101
    assert [len(node.parents) for node in nodes[:11]] == [0, 1, 2, 3, 2, 2, 2, 2, 2, 2, 2]
    assert len(nodes[-1].parents) == 2


@pytest.mark.slow
def test_figures_are_written_as_they_are_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "MEMORY", tmp_path)
    monkeypatch.setattr(scale, "SEVERAL", ("processes",))
    out = tmp_path / "scale.json"
    words = ["scale", "--nodes", "30", "--rounds", "1", "--disk", str(tmp_path)]
    monkeypatch.setattr("sys.argv", [*words, "--out", str(out)])
    scale.main()
    figures = {item["name"]: item for item in json.loads(out.read_text())["figures"]}
    assert figures["planning 30 nodes"]["value"] > 0
    here = figures["a node, here, in memory, 30 nodes"]
    assert 0 < here["floor"] < here["value"]
    assert here["met"] == (here["value"] <= 5)
    assert figures["a node, processes, 2 workers, in memory, 30 nodes"]["value"] > 0
    assert [path for path in tmp_path.iterdir() if path != out] == []
