"""Processes of engines: started, looked at, and ended with all that they started."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from expunge.runs import Store

ROOT = Path(__file__).parent.parent.parent
TINY = """
title = "Tiny"
scenarios = ["class:3"]
[data]
source = "digits"
train_limit = 200
test_limit = 100
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 1
[pruners.omp]
sparsity = {sparsity}
[methods.retrain]
[methods.ft]
epochs = 1
"""


@pytest.fixture
def start():
    """Start `python -m MODULE WORDS`; whatever it has started is killed with it at the end."""
    started = []

    def start(module, *words, **variables):
        process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **variables},
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        for pid in [process.pid, *session_of(process.pid), *descendants(process.pid)]:
            kill(pid)
        process.communicate()


def ended(process, seconds=120):
    """What a process printed, once it has succeeded."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err
    return out


def descendants(pid):
    """Ids of the processes that a process has started, and those have."""
    children = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
        except OSError:
            continue
        parent = int(re.search(r"^PPid:\s+(\d+)$", status, re.M)[1])
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def session_of(leader):
    """Ids of the processes of a session: those whose parent has ended, too."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[3]) == leader:
            found.append(int(folder.name))
    return found


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def made(root):
    """How many nodes were made in a store, each time counted: a line is written when one is."""
    try:
        return len((root / "times.jsonl").read_text().splitlines())
    except FileNotFoundError:
        return 0


def files(root):
    """By node: what its files hold, without records of how long it took."""
    store = Store(root)
    found = {}
    for summary in store.list():
        contents = store.open(summary.id).contents
        found[summary.id] = {name: contents[name] for name in contents if name != "record.json"}
    return found


def whole(root, count):
    """Whether every artefact of a store can be read, there are so many, and nothing else."""
    store = Store(root)
    listed = store.list()
    assert [summary.problem for summary in listed] == [""] * count
    inside = [path for name in (".aside", ".locks") for path in (root / name).iterdir()]
    assert inside == []
    return True


def cells(results):
    """The cells of a results document without what differs from run to run."""
    if isinstance(results, str):
        results = json.loads(results)
    return [
        {key: value for key, value in cell.items() if key not in ("rte_s", "made_by")}
        for cell in results["cells"]
    ]
