"""A real Ray cluster of this machine: what is killed is made again, and nothing twice."""

import json
import os
import signal

import pytest
from tests import processes
from tests.deadlines import wait_for
from tests.engines import conftest as engines

from expunge.runs import Store

RUN = "tests.engines.run_graph"
pytest.importorskip("ray", reason="the extra `ray` is not installed")


def working(process):
    """The cluster's processes that make a node now."""
    below = processes.descendants(process.pid)
    return [pid for pid in below if processes.command_of(pid).startswith("ray::make_nodes")]


def gone(pids):
    """Whether all have ended, but for two idle helpers of Ray, which take a minute to notice."""
    left = (processes.command_of(pid) for pid in pids if processes.alive(pid))
    return all(name.startswith(("ray::DashboardAgent", "ray::RuntimeEnvAgent")) for name in left)


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_driver_lose_nothing(start, tmp_path):
    words = [tmp_path, "--lines", 10, "--length", 3, "--seconds", 0.4]
    words += ["--engine", "ray", "--workers", 2]
    first = start(RUN, *words)
    wait_for(lambda: len(working(first)) == 2 and engines.made(tmp_path) > 3)
    (worker, _) = working(first)
    os.kill(worker, signal.SIGKILL)
    before = engines.made(tmp_path)
    # It goes on without that worker, with another in its place.
    wait_for(lambda: engines.made(tmp_path) > before + 6 and len(working(first)) == 2)
    below = processes.descendants(first.pid)
    first.kill()
    first.communicate()
    wait_for(lambda: gone(below))
    there = engines.made(tmp_path)
    assert there < 32
    second = start(RUN, *words)
    out = second.succeeded()
    assert out.splitlines()[-1] == "left 0"
    assert engines.whole(tmp_path, 32)
    # A line is written once a node is made: two at most were cut off in between.
    assert 30 <= engines.made(tmp_path) <= 32
    found = [line for line in out.splitlines() if line.endswith(" None")]
    assert there <= len(found) < 32


@pytest.mark.slow
def test_a_bench_on_ray_makes_what_one_process_makes(start, tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(engines.TINY.format(sparsity=0.5))
    words = ["bench", recipe, "--device", "cpu", "--json"]
    ray = ["--engine", "ray", "--workers", "2"]
    process = start("expunge", *words, "--out", tmp_path / "ray", *ray)
    below = wait_for(lambda: working(process) and processes.descendants(process.pid))
    # The same as ever, and in the meantime.
    here = start("expunge", *words, "--out", tmp_path / "here")
    assert engines.cells(process.succeeded()) == engines.cells(here.succeeded())
    assert engines.files(tmp_path / "ray" / "runs") == engines.files(tmp_path / "here" / "runs")
    store = Store(tmp_path / "ray" / "runs")
    assert {store.open(name).made["engine"] for name in store.ids()} == {"ray"}
    assert list((store.root / ".jobs").iterdir()) == []
    wait_for(lambda: gone(below))


@pytest.mark.slow
def test_failures_come_back_as_themselves(start, tmp_path):
    found = json.loads(start("tests.engines.run_ray", tmp_path).succeeded())
    kind, text, announced = found["fails"]
    assert kind == "StoreError"
    assert "which is not in the store" in text
    assert "\n" not in text
    kind, text, announced = found["keeps going"]
    assert (kind, announced) == ("StoreError", 2)
    assert text.startswith("1 of 4 nodes failed and 1 could not start; the first, empty-")
    kind, text, announced = found["elsewhere"]
    assert (kind, announced) == ("StoreError", 0)
    assert "does not see the store" in text
    assert found["connected"]


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_process(start, tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(engines.TINY.format(sparsity=0.5).replace("epochs = 1", "epochs = 5000"))
    words = ["bench", recipe, "--device", "cpu", "--out", tmp_path / "out", "--engine", "ray"]
    process = start("expunge", *words, "--workers", "2")
    wait_for((tmp_path / "out" / "runs" / "times.jsonl").exists)
    wait_for(lambda: working(process))
    below = processes.descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    _, err = process.said(60)
    assert process.returncode == 143
    assert err.splitlines()[-1].startswith("interrupted: finished nodes are in the store")
    assert "Traceback" not in err
    wait_for(lambda: gone(below))


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(start, tmp_path):
    words = [tmp_path, "--engine", "ray"]
    process = start(RUN, *words, RAY_ADDRESS="127.0.0.1:1")
    _, err = process.said(100)
    assert process.returncode == 2
    assert err.splitlines()[-1].startswith("error: no Ray cluster at 127.0.0.1:1 (")
    assert "Traceback" not in err
