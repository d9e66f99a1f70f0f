"""Several processes make what one makes, end with their parent, and lose nothing."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from tests import processes
from tests.deadlines import stretched, wait_for
from tests.studies.small import HERE, TINY, made, planned, tiny

from expunge.cli.interruption import LINE
from expunge.engines import Engine, run
from expunge.engines import processes as module
from expunge.graph.graph import Graph
from expunge.graph.make import make_node
from expunge.graph.plan import plan
from expunge.graph.runtime import Runtime
from expunge.runs import Store

TWO = Engine(name="processes", workers=2)
KILLED = "error: one of 2 worker processes was killed"
SECONDS_TO_END = 5.0


@pytest.fixture
def bench(started, tmp_path):
    """Start a grid by two workers, with epochs of its methods."""

    def bench(out, epochs):
        recipe = tmp_path / "tiny.toml"
        recipe.write_text(TINY.replace("epochs = 1\n", f"epochs = {epochs}\n"))
        return started("-m", "expunge", "bench", recipe, "--out", out, "--workers", "2")

    return bench


def artefacts(out):
    return {path.name for path in (out / "runs").glob("[a-z]*-*")}


def of_the_engine(process):
    """The workers' parent and the workers of a command."""
    found = {"server": [], "worker": []}
    for pid in processes.descendants(process.pid):
        if "serve(" in processes.command_of(pid):
            status = Path(f"/proc/{pid}/status").read_text()
            parent = int(re.search(r"^PPid:\s+(\d+)$", status, re.M)[1])
            found["server" if parent == process.pid else "worker"].append(pid)
    return found


@pytest.mark.slow
def test_an_error_in_a_worker_is_one_line(started, tmp_path):
    # An original that diverges is an error; a method that does is a result.
    (tmp_path / "tiny.toml").write_text(TINY.replace("[training]\n", "[training]\nlr = 1e30\n"))
    words = ("bench", tmp_path / "tiny.toml", "--out", tmp_path / "out", "--workers", 2)
    process = started("-m", "expunge", *words)
    _, err = process.said(200)
    assert process.returncode == 2
    errors = [line for line in err.splitlines() if "error" in line.lower()]
    assert len(errors) == 1
    assert "finite" in errors[0]
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "whom", "number", "code", "said"),
    [
        ("at the start", "parent", signal.SIGINT, 130, LINE),
        ("at the start", "parent", signal.SIGKILL, -9, ""),
        ("at the start", "server", signal.SIGTERM, 2, KILLED),
        ("at work", "parent", signal.SIGTERM, 143, LINE),
        ("at work", "parent", signal.SIGKILL, -9, ""),
        ("at work", "server", signal.SIGKILL, 2, KILLED),
        ("at work", "worker", signal.SIGKILL, 2, KILLED),
    ],
)
def test_what_ends_one_process_ends_all_and_keeps_what_is_whole(
    bench, tmp_path, when, whom, number, code, said
):
    out = tmp_path / "out"
    process = bench(out, epochs=5000)
    role = "worker" if whom == "worker" or when == "at work" else "server"
    wait_for(lambda: of_the_engine(process)[role])
    if when == "at work":
        wait_for(lambda: [name for name in artefacts(out) if name.startswith("prune")])
    kept = artefacts(out)
    below = processes.descendants(process.pid)
    os.kill(process.pid if whom == "parent" else of_the_engine(process)[whom][0], number)
    start = time.monotonic()
    wait_for(lambda: process.poll() is not None, SECONDS_TO_END)
    wait_for(lambda: not any(processes.alive(pid) for pid in below), SECONDS_TO_END)
    assert time.monotonic() - start < stretched(SECONDS_TO_END)
    _, err = process.said()
    assert process.returncode == code
    assert (err.splitlines() or [""])[-1].startswith(said)
    assert "Traceback" not in err
    store = Store(out / "runs")
    assert kept <= {store.open(each).id for each in store.ids()}
    inside = [path for name in (".aside", ".locks") for path in (store.root / name).glob("*")]
    assert inside == []


@pytest.mark.slow
def test_ctrl_c_does_not_reach_the_workers(started, tmp_path):
    """A terminal sends it to all, and the command alone decides what to do."""
    words = [tmp_path, "--engine", "processes", "--workers", 2, "--lines", 4, "--seconds", 0.1]
    process = started("-m", "tests.engines.run_graph", *words)
    wait_for(lambda: of_the_engine(process)["server"])
    for pid in [each for some in of_the_engine(process).values() for each in some]:
        os.kill(pid, signal.SIGINT)
    wait_for(lambda: len(of_the_engine(process)["worker"]) == 2)
    for pid in [each for some in of_the_engine(process).values() for each in some]:
        os.kill(pid, signal.SIGINT)
    assert process.succeeded().splitlines()[-1] == "left 0"


@pytest.mark.slow
def test_a_bug_in_a_worker_is_raised_with_its_traceback(tmp_path):
    """It is taken neither for a node's error nor for a killed worker, and nothing is left."""
    graph = Graph(Store(tmp_path))
    for number in range(2):
        graph.add("measure", {"number": number})
    before = processes.descendants(os.getpid())
    with pytest.raises(KeyError) as caught:
        run(graph, TWO, HERE)
    assert "in make_node" in caught.value.__notes__[0]
    assert processes.descendants(os.getpid()) == before


@pytest.fixture
def no_processes(monkeypatch):
    """Nobody may start a process."""
    monkeypatch.setattr(module, "Pool", None)


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
