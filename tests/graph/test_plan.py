"""What is planned: what is there, what is missing, how long the rest may take, and a picture."""

import json
import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from tests.conftest import ROOT
from tests.graph.spies import line_up, spy
from tests.studies.small import HERE, TINY, made, planned, tiny

from expunge.engines import Engine, run
from expunge.errors import StoreError
from expunge.graph.kinds import KINDS
from expunge.graph.picture import draw, to_svg
from expunge.graph.plan import plan
from expunge.graph.times import estimate, note_time
from expunge.runs import Node, Store

RECT, TITLE = (f"{{http://www.w3.org/2000/svg}}{tag}" for tag in ("rect", "title"))


def test_a_plan_is_what_is_there_and_what_is_missing(tmp_path, monkeypatch):
    spy(monkeypatch, lambda *_: None)
    first, _ = line_up(tmp_path, [[], [0]])
    assert plan(first).missing == tuple(node.id for node in first)
    run(first, Engine(), HERE)
    graph, names = line_up(tmp_path, [[], [0], [1], [0, 2]])
    found = plan(graph)
    assert found.missing == (names[2], names[3])
    told = found.to_json()
    assert json.loads(json.dumps(told)) == told
    assert (told["there"], told["missing"], told["unknown"]) == (2, 2, 0)
    assert [node["there"] for node in told["nodes"]] == [True, True, False, False]
    assert [node["label"] for node in told["nodes"]] == [f"number {n}" for n in range(4)]
    assert told["nodes"][3]["parents"] == {"p0": names[0], "p2": names[2]}
    assert told["estimated_seconds"] == pytest.approx(sum(found.seconds.values()))
    ((kind, nodes, there, seconds),) = found.by_kind()
    assert (kind, nodes, there) == ("spy", 4, 2)
    assert seconds == pytest.approx(found.total())
    assert all(there["estimated_seconds"] is None for there in told["nodes"][:2])


def node(kind, number=0, origin=None, **params):
    parents = {} if origin is None else {"origin": origin}
    return Node(kind=kind, version=1, params={"number": number, **params}, parents=parents)


ONE, OTHER = "train-0000000000000001", "train-0000000000000002"


def test_an_estimate_is_the_median_of_the_nearest_that_is_known(tmp_path):
    store = Store(tmp_path)
    store.root.mkdir(exist_ok=True)
    for seconds in (1.0, 2.0, 9.0):
        note_time(store, node("unlearn", origin=ONE, method="ft"), seconds)
    note_time(store, node("unlearn", origin=OTHER, method="ft"), 40.0)
    note_time(store, node("unlearn", origin=OTHER, method="ga"), 100.0)
    asked = {
        "same entry, same origin": (node("unlearn", 1, ONE, method="ft"), 2.0),
        "same entry, its other origin": (node("unlearn", 1, OTHER, method="ft"), 40.0),
        "same entry, a new origin": (
            node("unlearn", 1, "train-0000000000000003", method="ft"),
            5.5,  # of 1, 2, 9 and 40
        ),
        "same kind": (node("unlearn", 1, ONE, method="scrub"), 9.0),  # of all five
        "nothing alike": (node("prune", 1, ONE, pruner="omp"), None),
    }
    found = estimate(store, [asked_for for asked_for, _ in asked.values()])
    assert [found[asked_for.id] for asked_for, _ in asked.values()] == [
        expected for _, expected in asked.values()
    ]


def test_a_line_that_was_cut_short_is_passed_over(tmp_path):
    store = Store(tmp_path)
    note_time(store, node("spy"), 3.0)
    with (tmp_path / "times.jsonl").open("a") as file:
        file.write('{"node": "spy", "sec\n[]\n{"node": "spy", "seconds": null}\n')
    assert set(estimate(store, [node("spy", 1)]).values()) == {3.0}


def test_what_is_not_known_is_said_to_be_unknown(tmp_path, monkeypatch):
    spy(monkeypatch, lambda *_: None)
    found = plan(line_up(tmp_path, [[], []])[0])
    assert found.by_kind() == [("spy", 2, 0, None)]
    assert (found.total(), found.to_json()["unknown"]) == (0, 2)


def test_times_of_one_grid_tell_of_another_seed(tmp_path):
    experiment = tiny(scenarios=("class:3",), metrics=("ua",))
    made(tmp_path, experiment)
    graph, _ = planned(tmp_path, tiny(scenarios=("class:3",), metrics=("ua",), seeds=(0, 1)))
    found = plan(graph)
    assert {node.kind for node in graph if node.id not in found.missing} >= {"data", "train"}
    assert found.missing
    assert all(seconds is not None for seconds in found.seconds.values())


LISTING = """
import atexit, json, sys
from pathlib import Path
path = Path(sys.argv.pop(1))
atexit.register(lambda: path.write_text(json.dumps([*sys.modules])))
from expunge.cli import main
main()
"""


@pytest.fixture
def dry_run(tmp_path):
    """`expunge bench --dry-run --json` in a new process: the plan, and the modules it imported."""
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)

    def dry_run(*words):
        asked = ["bench", recipe, "--out", tmp_path / "out", "--dry-run", "--json", *words]
        there = tmp_path / "modules.json"
        out = subprocess.check_output(
            [sys.executable, "-c", LISTING, there, *asked], cwd=ROOT, env={**os.environ}, text=True
        )
        return json.loads(out), set(json.loads(there.read_text()))

    return dry_run


def test_planning_data_that_were_seen_before_loads_no_heavy_library(dry_run):
    dry_run()
    told, modules = dry_run()
    assert told["missing"] == len(told["nodes"]) > 20
    heavy = {"torch", "numpy", "sklearn", "scipy", "lightning_fabric", "matplotlib", "PIL"}
    assert not heavy & modules
    assert "expunge.graph.kinds.train" in modules


def rectangles(svg):
    root = ElementTree.fromstring(svg)
    found = {}
    for rect in root.iter(RECT):
        title = rect.find(TITLE)
        if title is not None:
            found[title.text] = rect.get("fill")
    return found


def test_a_picture_has_a_rectangle_with_a_title_for_every_node(tmp_path, monkeypatch):
    spy(monkeypatch, lambda *_: None)
    run(line_up(tmp_path, [[]])[0], Engine(), HERE)
    graph, names = line_up(tmp_path, [[], [0], [0, 1]])
    graph.labels[names[2]] = "<the last> & 'least'"
    found = rectangles(to_svg(plan(graph)))
    assert list(found) == [
        f"number 0 ({names[0]})",
        f"number 1 ({names[1]})",
        f"<the last> & 'least' ({names[2]})",
    ]
    # What is missing is in outline.
    fills = list(found.values())
    assert fills[0] != fills[1] == fills[2] == "#ffffff"


def test_no_two_rectangles_overlap_parents_lie_left_and_small_nodes_under_their_model(tmp_path):
    graph, _ = planned(tmp_path, tiny())
    root = ElementTree.fromstring(to_svg(plan(graph)))
    places = {
        rect.find(TITLE).text.rpartition("(")[2][:-1]: (float(rect.get("x")), float(rect.get("y")))
        for rect in root.iter(RECT)
        if rect.find(TITLE) is not None
    }
    assert len(set(places.values())) == len(places) == len(graph)
    small = {each.id for each in graph if KINDS[each.kind].minor and "model" in each.parents}
    for each in graph:
        model = each.parents.get("model")
        if each.id in small:
            assert places[each.id][1] > places[model][1]
            continue
        for parent in each.parents.values():
            assert places[parent][0] < places[each.id][0]
    width, height = float(root.get("width")), float(root.get("height"))
    assert all(x < width and y < height for x, y in places.values())


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    graph, _ = planned(tmp_path / "runs", tiny())
    with pytest.raises(StoreError, match=r"cannot write .*nowhere"):
        draw(plan(graph), tmp_path / "nowhere" / "graph.svg")
    draw(plan(graph), tmp_path / "graph.svg")
    assert len(rectangles((tmp_path / "graph.svg").read_text())) == len(graph)


@pytest.mark.parametrize(("old", "new"), [("1.5", "1.4"), ("crc32", "crc33"), ("a|b|", "a|c|")])
def test_a_time_that_was_changed_is_left_out_and_said(tmp_path, caplog, old, new):
    store = Store(tmp_path)
    node = Node(kind="a", version=1, params={"method": "b"})
    with store.create(node):
        pass
    note_time(store, node, 1.5)
    assert estimate(store, [node]) == {node.id: 1.5}
    assert caplog.messages == []
    path = tmp_path / "times.jsonl"
    path.write_text(path.read_text().replace(old, new))
    assert estimate(store, [node]) == {node.id: None}
    (said,) = caplog.messages
    assert said.startswith(f"note: 1 lines of {path} are damaged, and left out")
