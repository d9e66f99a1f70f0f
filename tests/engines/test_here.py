"""The engine of this process: order, what is told, failures; and a grid that is killed."""

import json
import signal

import pytest
from tests.deadlines import wait_for
from tests.graph.spies import failing, line_up, spy
from tests.studies.small import HERE

from expunge.engines import Engine, run
from expunge.engines.watch import Watch
from expunge.errors import ConfigError, DivergedError
from expunge.graph.runtime import Place

GRID = "tests.engines.make_grid"


class Told:
    """What a run told of its nodes."""

    def __init__(self):
        self.lines = []

    @property
    def watch(self):
        return Watch(announce=lambda *line: self.lines.append(line))

    def __call__(self):
        """Labels, and whether the node was made now."""
        return [(label, seconds is not None) for _, label, seconds in self.lines]


def test_what_is_missing_is_made_once_the_longest_line_first(tmp_path, monkeypatch):
    made = []
    spy(monkeypatch, lambda node, *_: made.append(node.params["number"]))
    edges = [[], [], [1], [2], [0]]
    told = Told()
    run(line_up(tmp_path, edges[:1])[0], Engine(), HERE, told.watch)
    run(line_up(tmp_path, edges)[0], Engine(), HERE, told.watch)
    assert made == [0, 1, 2, 3, 4]
    assert told() == [
        ("number 0", True),
        ("number 0", False),
        *((f"number {number}", True) for number in (1, 2, 3, 4)),
    ]
    again = Told()
    run(line_up(tmp_path, edges)[0], Engine(), HERE, again.watch)
    assert again() == [(f"number {number}", False) for number in range(5)]
    assert len(made) == 5


def test_a_node_is_given_the_folders_of_its_parents_by_their_roles(tmp_path, monkeypatch):
    def write(node, inputs, out, runtime):
        (out / "text").write_text(str(node.params["number"]))
        seen.append({role: (folder / "text").read_text() for role, folder in inputs.items()})

    seen = []
    spy(monkeypatch, write)
    run(line_up(tmp_path, [[], [], [0, 1]])[0], Engine(), HERE)
    assert seen == [{}, {}, {"p0": "0", "p1": "1"}]


FAILING = [[], [0], [1], [0], [3]]


@pytest.mark.parametrize("name", ["here", "processes"])
def test_a_failure_stops_and_what_was_made_before_it_stays(tmp_path, monkeypatch, name):
    spy(monkeypatch, failing)
    graph, names = line_up(tmp_path, FAILING, fails=[None, "diverged", None, None, None])
    with pytest.raises(DivergedError, match=r"^as told$"):
        run(graph, Engine(name=name, workers=1), HERE)
    assert graph.store.ids() == {names[0]}
    assert not beginning(tmp_path)


@pytest.mark.parametrize("name", ["here", "processes"])
def test_who_keeps_going_makes_all_that_does_not_need_what_failed(tmp_path, monkeypatch, name):
    spy(monkeypatch, failing)
    graph, names = line_up(tmp_path, FAILING, fails=[None, "diverged", None, None, None])
    told = Told()
    with pytest.raises(DivergedError) as caught:
        run(graph, Engine(name=name, workers=1, keep_going=True), HERE, told.watch)
    assert str(caught.value) == (
        f"1 of 5 nodes failed and 1 could not start; the first, {names[1]}: as told"
    )
    assert graph.store.ids() == {names[0], names[3], names[4]}
    assert told() == [("number 0", True), ("number 3", True), ("number 4", True)]


def test_an_error_of_ours_is_not_taken_for_a_nodes(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    spy(monkeypatch, broken)
    with pytest.raises(ZeroDivisionError):
        run(line_up(tmp_path, [[], []])[0], Engine(keep_going=True), HERE)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"name": "proceses"}, r"unknown engine 'proceses'.*did you mean 'processes'"),
        ({"workers": 0}, "workers must be 1 or more, got 0"),
    ],
)
def test_engines_that_there_are_not_are_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        Engine(**words)


def test_only_here_takes_several_devices(tmp_path):
    graph, _ = line_up(tmp_path, [[], []], kind="empty")
    with pytest.raises(ConfigError, match=r"processes and devices=2 cannot be combined"):
        run(graph, Engine(name="processes", workers=2), Place(device="cpu", devices=2))
    assert not graph.store.ids()


def finish(process):
    """The nodes that it made, and the cells without what is a matter of time."""
    *made, cells = process.succeeded(300).splitlines()
    return made, [{**cell, "rte_s": None} for cell in json.loads(cells)]


def artefacts(store):
    return {path.name for path in store.glob("[a-z]*-*")}


def beginning(store):
    return list((store / ".aside").glob(".*"))


@pytest.mark.slow
def test_killed_at_any_moment_and_run_again(start, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    made, cells = finish(start(GRID, whole))
    assert len(made) == len(set(made)) == len(artefacts(whole))
    for nodes in (2, 12):
        process = start(GRID, killed)
        wait_for(lambda at=nodes: len(artefacts(killed)) >= at and beginning(killed), 120, 0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    kept = artefacts(killed)
    assert len(kept) < len(made)
    again, rest = finish(start(GRID, killed))
    assert not kept & set(again)
    assert artefacts(killed) == artefacts(whole)
    assert rest == cells
    assert not beginning(killed)
