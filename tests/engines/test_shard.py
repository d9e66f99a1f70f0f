"""Shards: each node once, by whoever may; nobody waits for the dead; the last one collects."""

import json
import threading
import time

import pytest
from tests.deadlines import stretched, wait_for
from tests.engines import conftest as engines
from tests.engines.run_graph import make_graph

from expunge.engines import Engine, Shard, Watch, run
from expunge.engines import shard as module
from expunge.graph.runtime import Place
from expunge.runs import Store

RUN = "tests.engines.run_graph"
PLACE = Place(device="cpu")


def shard(number, count=2, **settings):
    return Engine(shard=Shard(number=number, count=count, **settings))


@pytest.mark.slow
def test_two_shards_make_each_node_once(start, tmp_path):
    words = ["--lines", 12, "--length", 3, "--seconds", 0.05]
    both = [start(RUN, tmp_path, "--shard", f"{i}/2", *words) for i in (1, 2)]
    outs = [process.succeeded() for process in both]
    assert engines.whole(tmp_path, 38)
    assert engines.made(tmp_path) == 38
    own = [
        {line.split()[0] for line in out.splitlines() if line.split()[1] != "None"} - {"left"}
        for out in outs
    ]
    assert own[0].isdisjoint(own[1])
    assert min(map(len, own)) > 8
    # The last to end has seen everything.
    assert any(out.splitlines()[-1] == "left 0" for out in outs)


def test_a_shard_ends_alone_and_says_what_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    graph = make_graph(tmp_path, lines=40, length=1, seconds=0.0)
    own = Shard(number=1, count=4)
    left = run(graph, Engine(shard=own), PLACE)
    there = graph.store.ids()
    assert left == len(graph) - len(there)
    assert 0 < left < len(graph)
    assert all(node.id in there for node in graph if own.owns(node.id))


def test_each_of_the_others_is_waited_for_once(tmp_path, monkeypatch):
    """Not each of their nodes, which lie in one line with its own."""
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    graph = make_graph(tmp_path, lines=1, length=40, seconds=0.0)
    start = time.monotonic()
    run(graph, shard(1, 4), PLACE)
    assert time.monotonic() - start < 6
    assert len(graph.store.ids()) > 20


def test_what_another_makes_is_waited_for(tmp_path, monkeypatch):
    """However long it takes, as long as it gives signs of life."""
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    graph = make_graph(tmp_path, lines=1, length=1, seconds=0.0)
    first = next(iter(graph))
    number = 3 - Shard(number=1, count=2).owner(first.id)
    announced = []
    thread = threading.Thread(
        target=run,
        args=(graph, shard(number), PLACE, Watch(announce=lambda *news: announced.append(news))),
    )
    with Store(tmp_path).create(first):
        thread.start()
        time.sleep(1)
        assert announced == []
    thread.join(stretched(20))
    assert announced[0] == (first.id, "empty 0", None)
    assert len(graph.store.ids()) >= 2


def test_a_shard_that_waits_ends_when_all_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    graph = make_graph(tmp_path, lines=5, length=2, seconds=0.0)
    assert run(graph, shard(2, 3, waits=True), PLACE) == 0
    assert graph.store.ids() == {node.id for node in graph}


@pytest.mark.slow
def test_a_killed_shard_is_not_waited_for(start, tmp_path):
    words = [tmp_path, "--lines", 8, "--length", 2, "--seconds", 0.3]
    killed = start(RUN, *words, "--shard", "1/2")
    wait_for(lambda: list((tmp_path / ".aside").glob(".expunge-empty-*")))
    killed.kill()
    killed.communicate()
    start(RUN, *words, "--shard", "2/2").succeeded()
    assert start(RUN, *words, "--shard", "1/2").succeeded().splitlines()[-1] == "left 0"
    assert engines.whole(tmp_path, 18)
    assert engines.made(tmp_path) in (17, 18)  # it may have died between a node and its line


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [("a", "a"), ("a", "b")], ids=["one host", "two hosts"])
def test_without_locks_results_are_right(start, tmp_path, hosts):
    """Two runs of all of it, and two shards, at the same time: some nodes are made twice."""
    words = [tmp_path, "--lines", 10, "--length", 2, "--seconds", 0.05, "--no-locks"]
    each = [start(RUN, *words, "--host", host) for host in hosts]
    each += [
        start(RUN, *words, "--host", host, "--shard", f"{i}/2")
        for i, host in enumerate(hosts, start=1)
    ]
    for process in each:
        process.succeeded()
    assert engines.whole(tmp_path, 22)
    assert engines.made(tmp_path) >= 22


@pytest.mark.slow
def test_shards_of_a_bench_collect_what_one_process_collects(start, tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(engines.TINY.format(sparsity=0.5))
    words = ["bench", recipe, "--device", "cpu", "--json"]
    here = start("expunge", *words, "--out", tmp_path / "here")
    expected = engines.cells(here.succeeded())
    both = [
        start("expunge", *words, "--out", tmp_path / "out", "--shard", f"{i}/2") for i in (1, 2)
    ]
    outs = [process.said(120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    for i, (out, err) in enumerate(outs, start=1):
        if out:
            assert engines.cells(out) == expected
        else:
            assert f"shard {i}/2 is done; " in err
            assert "missing: the last shard to end writes the results" in err
    assert any(out for out, _ in outs)
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert engines.cells(written) == expected
    assert engines.files(tmp_path / "out" / "runs").keys() == (
        engines.files(tmp_path / "here" / "runs").keys()
    )


@pytest.mark.slow
def test_two_shards_of_different_recipes_are_one_line(start, tmp_path):
    """Whoever comes first has the folder; the other has made nothing."""
    both = []
    for i, sparsity in enumerate((0.5, 0.6), start=1):
        recipe = tmp_path / f"{i}.toml"
        recipe.write_text(engines.TINY.format(sparsity=sparsity))
        words = ["bench", recipe, "--device", "cpu", "--out", tmp_path / "out", "--json"]
        both.append(start("expunge", *words, "--shard", f"{i}/2"))
    errors = [process.said(120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], errors
    (refused,) = (err for err, process in zip(errors, both, strict=True) if process.returncode)
    (line,) = refused.splitlines()
    assert "holds an experiment with other settings (pruners: " in line
