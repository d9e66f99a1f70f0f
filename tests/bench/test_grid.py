"""A grid that is killed and run again ends as one that was not, and makes nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

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
epochs = 1
"""


@pytest.fixture
def start(tmp_path):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE)

    def start(out):
        words = [sys.executable, "-m", "expunge", "bench", recipe, "--out", out, "--json"]
        return subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
        )

    return start


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    # "  1.2s  what  id", or "found  what  id" for what was there.
    lines = [line.split() for line in err.splitlines() if line.strip()]
    made = [line[-1] for line in lines if line[0] != "found"]
    return json.loads(out), made


def without_times(results):
    return [{key: cell[key] for key in cell if key != "rte_s"} for cell in results["cells"]]


def artefacts(out):
    return sorted(path.name for path in (out / "runs").iterdir() if not path.name.startswith("."))


def test_killed_at_any_moment_and_run_again(start, tmp_path):
    whole, made = finish(start(tmp_path / "whole"))
    assert len(made) == len(set(made)) == len(artefacts(tmp_path / "whole"))
    out = tmp_path / "killed"
    for stages in (2, 8):
        process = start(out)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            there = artefacts(out) if (out / "runs").is_dir() else []
            beginning = list((out / "runs").glob(".tmp-*"))
            if len(there) >= stages and beginning:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.005)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (out / "results.json").exists()
    kept = artefacts(out)
    again, made = finish(start(out))
    assert not set(kept) & set(made)
    assert artefacts(out) == artefacts(tmp_path / "whole")
    assert without_times(again) == without_times(whole)
    assert not list((out / "runs").glob(".tmp-*"))
