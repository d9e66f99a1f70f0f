"""Several worker processes make what one makes, end with their parent, and lose nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from expunge.bench.experiment import parse_experiment
from expunge.bench.grid import run_grid
from expunge.bench.threads import share_processor
from expunge.bench.workers import fill_store
from expunge.bench.workspace import Workspace
from expunge.errors import ConfigError
from expunge.runs import Store

RECIPE = """
title = "Tiny"
scenarios = ["class:3", "random:0.1"]
[data]
source = "digits"
train_limit = 200
test_limit = 100
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
rewind_epoch = 1
[pruners.omp]
sparsity = 0.5
[methods.retrain]
[methods.l1_sparse]
epochs = {epochs}
lr = {lr}
"""


@pytest.fixture
def start(tmp_path):
    """Start a grid: folder for the results, number of workers, settings of l1_sparse."""

    def start(out, workers, *, epochs=1, lr=0.01):
        recipe = tmp_path / "tiny.toml"
        recipe.write_text(RECIPE.format(epochs=epochs, lr=lr))
        words = [sys.executable, "-m", "expunge", "bench", recipe, "--out", out, "--json"]
        return subprocess.Popen(
            [*words, "--workers", str(workers)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    return start


def artefacts(out):
    return {path.name for path in (out / "runs").glob("[a-z]*")}


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
def test_two_workers_make_what_one_process_makes(start, tmp_path):
    cells = {}
    for name, workers in (("one", 1), ("two", 2)):
        out, err = (process := start(tmp_path / name, workers)).communicate(timeout=200)
        assert process.returncode == 0, err
        results = json.loads(out)
        assert results["env"]["workers"] == workers
        cells[name] = [{**cell, "rte_s": None} for cell in results["cells"]]
    assert cells["one"] == cells["two"]
    assert artefacts(tmp_path / "one") == artefacts(tmp_path / "two")
    made = [line.split()[-1] for line in err.splitlines() if line.strip()]
    assert len(made) == len(set(made)) == len(artefacts(tmp_path / "two"))


@pytest.mark.slow
def test_an_error_in_a_worker_is_one_line(start, tmp_path):
    process = start(tmp_path / "out", 2, lr=1e30)
    _, err = process.communicate(timeout=200)
    assert process.returncode == 2
    errors = [line for line in err.splitlines() if "error" in line.lower()]
    assert len(errors) == 1
    assert errors[0].endswith("samples are not finite")
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whom", "number", "said"),
    [
        ("parent", signal.SIGINT, "interrupted: finished stages are in the store"),
        ("parent", signal.SIGKILL, ""),
        ("worker", signal.SIGKILL, "error: one of 2 worker processes was ended from outside"),
    ],
)
def test_what_ends_one_process_ends_all_and_keeps_what_is_whole(
    start, tmp_path, whom, number, said
):
    out = tmp_path / "out"
    process = start(out, 2, epochs=5000)
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
    assert kept <= {store.open(summary.id).id for summary in store.list()}


def test_what_is_there_starts_no_process(tmp_path, monkeypatch):
    experiment = parse_experiment(RECIPE.format(epochs=1, lr=0.01), "tiny.toml")
    run_grid(Workspace(Store(tmp_path), device="cpu"), experiment)
    started = []
    monkeypatch.setattr("expunge.bench.workers.ProcessPoolExecutor", started.append)
    fill_store(Workspace(Store(tmp_path), device="cpu"), experiment, 2)
    assert not started


def test_a_chain_of_single_jobs_starts_no_process(tmp_path, monkeypatch):
    """A method that was not there: its one model, and then what is measured of it."""
    text = RECIPE.format(epochs=1, lr=0.01).replace(', "random:0.1"', "")
    text = text.replace("[pruners.omp]\nsparsity = 0.5\n", "")
    before, after = (
        parse_experiment(each, "tiny.toml") for each in (text, text + "[methods.ga]\n")
    )
    run_grid(Workspace(Store(tmp_path), device="cpu"), before)
    monkeypatch.setattr("expunge.bench.workers.ProcessPoolExecutor", None)
    fill_store(Workspace(Store(tmp_path), device="cpu"), after, 2)
    made = len(Store(tmp_path).list())
    run_grid(Workspace(Store(tmp_path), device="cpu"), after)
    assert len(Store(tmp_path).list()) == made


def test_workers_and_devices_are_not_both_several(tmp_path):
    experiment = parse_experiment(RECIPE.format(epochs=1, lr=0.01), "tiny.toml")
    space = Workspace(Store(tmp_path), device="cpu")
    space.devices = 2
    with pytest.raises(ConfigError, match="workers=3 and devices=2 cannot both"):
        fill_store(space, experiment, 3)


def test_threads_are_this_process_s_share(monkeypatch):
    before = torch.get_num_threads()
    try:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr("expunge.bench.threads.cpu_count", lambda: 6)
        assert [share_processor(n) for n in (1, 2, 4, 9)] == [6, 3, 1, 1]
        assert torch.get_num_threads() == 1
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        assert share_processor() == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
