"""The measurement of kills counts what went wrong."""

import json
import os
import random
from dataclasses import replace

import pytest
from benchmarks.kills import Kill

from benchmarks import kills

RIGHT = Kill(
    number=0, target="command", signal="SIGTERM", moment=1.0, code=143, seconds=0.5,
    clean=True, equal=True, left=[],
)  # fmt: skip


@pytest.mark.parametrize("wrong", [{"clean": False}, {"equal": False}, {"left": ["a lock"]}])
def test_what_went_wrong_is_counted(tmp_path, wrong):
    path = tmp_path / "kills.json"
    for number in (2, 0, 1, 3):
        kill = replace(RIGHT, number=number, target="worker" if number > 1 else "command")
        kills.add(path, replace(kill, **wrong) if number == 3 else kill, seed=0)
    kills.add(path, replace(RIGHT, number=1, seconds=0.7), seed=0)
    document = json.loads(path.read_text())
    assert (document["kills"], document["right"]) == (4, 3)
    assert [case["number"] for case in document["cases"]] == [0, 1, 2, 3]
    found = {item["name"]: (item["value"], item["n"], item["met"]) for item in document["figures"]}
    assert found == {
        "right after a kill of the command": (100.0, 2, True),
        "right after a kill of the worker": (50.0, 2, False),
        "from TERM or INT to the end of the command": (0.6, 2, True),
    }


@pytest.mark.slow
def test_a_process_and_a_file_that_are_left_are_seen(tmp_path, started, monkeypatch):
    trial = object.__new__(kills._Trial)
    trial.folder = tmp_path
    place = tmp_path / "kill0"
    (place / "out" / "runs" / ".locks").mkdir(parents=True)
    assert trial._left("kill0", set()) == []
    for name in ("out/runs/.locks/train-1", "cache/.expunge-1.json"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("")
    process = started("-c", "input()", stdin=-1, env={kills._MARK: f"kill0-{os.getpid()}"})
    left = trial._left("kill0", {"/dev/null", "/dev/none"})
    assert sorted(left) == [
        "/dev/null", "cache/.expunge-1.json", "out/runs/.locks/train-1", f"process {process.pid}",
    ]  # fmt: skip


def test_every_kill_can_be_drawn_again():
    draws = [random.Random(f"0 {number}").choice(kills.TARGETS) for number in range(100)]
    assert set(draws) == set(kills.TARGETS)
