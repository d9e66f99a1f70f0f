"""`expunge tune`, as a person at a terminal meets it."""

import json
import signal
import tomllib

import pytest
from tests.deadlines import wait_for

TRAIN = [
    "train", "--data", "digits", "--model", "resnet8", "--width", "0.25", "--train-limit", "200",
    "--test-limit", "100", "--validation-fraction", "0.2", "--epochs", "2", "--batch_size", "50",
    "--rewind_epoch", "1", "--schedule", "one_cycle",
]  # fmt: skip


@pytest.fixture
def command(command, tmp_path):
    """The command, over a store of this test's own."""
    return lambda *words: command(*words, "--store", tmp_path / "runs")


@pytest.fixture
def search(command, tmp_path):
    code, out, err = command(*TRAIN)
    assert code == 0, err
    run = out.strip()

    def search(method, *words):
        return command(
            "tune", method, "--run", run[:12], "--forget", "class:3", "--trials", 2,
            "--out", tmp_path / "found.json", *words,
        )  # fmt: skip

    return search


def test_a_search_shows_its_trials_and_ends_with_a_recipes_table(search, tmp_path):
    code, out, err = search("ga", "--batch_size", 10, "--range", "lr=1e-4:0.01:log")
    assert code == 0, err
    assert "trial 1/2  lr=0.0001: " in err
    assert "trial 2/2  lr=" in err
    for column in ("lr", "points", "UA", "MIA-eff.", "RA", "TA", "RTE s", "best"):
        assert column in out
    table = out[out.index("[methods.ga.class]") : out.index("Every trial:")]
    document = json.loads((tmp_path / "found.json").read_text())
    lr = document["best"]["searched"]["lr"]
    assert tomllib.loads(table) == {
        "methods": {"ga": {"class": {"chosen_by": "no_oracle", "batch_size": 10, "lr": lr}}}
    }
    assert str(tmp_path / "found.json") in out
    code, out, err = search(
        "ga",
        "--batch_size",
        10,
        "--range",
        "lr=1e-4:0.01:log",
        "--objective",
        "no_oracle",
        "--json",
    )
    assert json.loads(out)["trials"] == document["trials"]
    # Nothing was made again.
    first, *lines = err.splitlines()
    assert first.endswith("training samples to forget")
    assert all(line.split()[0] in ("found", "trial") for line in lines)
    code, _, err = search("ga", "--objective", "oracle")
    assert code == 2
    assert "holds another search" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gaa"], "unknown method 'gaa'"),
        (["retrain"], "retrain has no search space: say what to search, as in --range"),
        (["ga", "--objective", "orakle"], "unknown objective 'orakle': expected one of oracle"),
        (["ga", "--range", "lr=1"], "a range is NAME=LOW:HIGH"),
        (["ga", "--range", "lrr=1:2"], "unknown setting 'lrr'"),
        (["ga", "--gamma", "1"], "tune ga: unknown setting 'gamma'"),
        (["ga", "--trials", "0"], "trials must be"),
    ],
)
def test_an_error_is_one_line_before_anything_is_run(command, words, message, tmp_path):
    code, out, err = command("tune", *words, "--run", "train-1", "--forget", "class:3")
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_a_search_that_is_interrupted_keeps_what_it_has_found(command, started, tmp_path):
    code, run, err = command(*TRAIN)
    assert code == 0, err
    out = tmp_path / "found.json"
    words = [
        "-m", "expunge", "tune", "ga", "--run", run.strip(), "--forget", "class:3",
        "--trials", "500", "--out", out, "--store", tmp_path / "runs",
    ]  # fmt: skip
    process = started(*words)
    wait_for(lambda: out.exists() or process.poll() is not None, 120)
    process.send_signal(signal.SIGINT)
    _, err = process.said(60)
    assert process.returncode == 130
    assert err.splitlines()[-1].startswith("interrupted: finished nodes are in the store")
    document = json.loads(out.read_text())
    assert 1 <= len(document["trials"]) < 500
    assert document["best"] is not None
