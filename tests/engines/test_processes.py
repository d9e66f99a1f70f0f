"""Several processes make what one makes, end with their parent, and lose nothing."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.studies.small import HERE, TINY, made, planned, tiny

from expunge.engines import Engine, processes, run
from expunge.graph.make import make_node
from expunge.graph.plan import plan
from expunge.graph.runtime import Runtime
from expunge.runs import Store

TWO = Engine(name="processes", workers=2)


@pytest.fixture
def start(tmp_path):
    """Start a grid by two workers, with settings of l1_sparse."""

    def start(out, epochs=1, lr=0.01):
        recipe = tmp_path / "tiny.toml"
        recipe.write_text(TINY.replace("epochs = 1\n", f"epochs = {epochs}\nlr = {lr}\n"))
        words = [sys.executable, "-m", "expunge", "bench", recipe, "--out", out, "--workers", "2"]
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )

    return start


def artefacts(out):
    return {path.name for path in (out / "runs").glob("[a-z]*-*")}


def workers_of(process):
    """Process ids of those that work: children of the process that all of them are forks of."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        parents[int(folder.name)] = int(re.search(r"^PPid:\s+(\d+)$", status, re.M)[1])
    return [pid for pid, parent in parents.items() if parents.get(parent) == process.pid]


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_an_error_in_a_worker_is_one_line(start, tmp_path):
    process = start(tmp_path / "out", lr=1e30)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 2
    errors = [line for line in err.splitlines() if "error" in line.lower()]
    assert len(errors) == 1
    assert "finite" in errors[0]
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whom", "number", "said"),
    [
        ("parent", signal.SIGINT, "interrupted: finished nodes are in the store"),
        ("parent", signal.SIGKILL, ""),
        ("worker", signal.SIGKILL, "error: one of 2 worker processes was killed"),
    ],
)
def test_what_ends_one_process_ends_all_and_keeps_what_is_whole(
    start, tmp_path, whom, number, said
):
    out = tmp_path / "out"
    process = start(out, epochs=5000)
    wait_for(lambda: [name for name in artefacts(out) if name.startswith("prune")])
    workers = wait_for(lambda: workers_of(process))
    kept = artefacts(out)
    os.kill(process.pid if whom == "parent" else workers[0], number)
    _, err = process.communicate(timeout=60)
    assert said in err
    assert "Traceback" not in err
    if number == signal.SIGINT or whom == "worker":
        assert process.returncode == 2
    wait_for(lambda: not any(alive(pid) for pid in workers))
    store = Store(out / "runs")
    assert kept <= {store.open(each).id for each in store.ids()}


@pytest.fixture
def no_processes(monkeypatch):
    """Nobody may start a process."""
    monkeypatch.setattr(processes, "ProcessPoolExecutor", None)


ONE = {"scenarios": ("class:3",), "pruners": {}, "metrics": ("ua",)}


def test_what_is_there_starts_no_process(tmp_path, no_processes):
    made(tmp_path, tiny(**ONE))
    graph, _ = made(tmp_path, tiny(**ONE), TWO)
    assert not plan(graph).missing


def test_a_chain_of_single_nodes_starts_no_process(tmp_path, no_processes):
    """A method that was not there: its one model, and then what is measured of it."""
    made(tmp_path, tiny(**ONE, methods={"retrain": {}}))
    after = tiny(**ONE, methods={"retrain": {}, "ga": {}})
    assert len(plan(planned(tmp_path, after)[0]).missing) == 3
    graph, _ = made(tmp_path, after, TWO)
    assert not plan(graph).missing


def test_one_worker_is_this_process(tmp_path, no_processes):
    graph, _ = made(tmp_path, tiny(**ONE), Engine(name="processes", workers=1))
    assert not plan(graph).missing


def test_two_that_ask_for_one_node_make_it_once(tmp_path, monkeypatch):
    """The second waits for the first, and finds what it made."""
    graph, _ = planned(tmp_path, tiny(**ONE))
    first = next(iter(graph))
    runtime = Runtime(HERE)
    assert make_node(graph.store, first, runtime, "", "here") is not None
    has = iter([False, True])
    monkeypatch.setattr(graph.store, "has", lambda node: next(has))
    assert make_node(graph.store, first, runtime, "", "here") is None


def test_a_run_of_nothing_is_nothing(tmp_path):
    graph, _ = planned(tmp_path, tiny(**ONE))
    empty = type(graph)(graph.store)
    run(empty, TWO, HERE)
    assert not graph.store.ids()
