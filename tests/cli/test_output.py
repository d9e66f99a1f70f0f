"""What commands print: names as they are, on any terminal, in any encoding."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.table import Column, Table
from tests.cli.conftest import ok
from tests.deadlines import stretched

from expunge.cli.output import shared, show_table, visible
from expunge.cli.run_list import describe_runs, line
from expunge.runs import read_document, write_document
from expunge.runs.store import Summary

CLI = Path(__file__).parent.parent.parent / "src" / "expunge" / "cli"
COMMAND = str(Path(sys.executable).with_name("expunge"))
SMALL = ["--width", "0.25", "--epochs", "1", "--rewind-epoch", "0"]
NAMES = ["list [final].txt", "[/b].txt", ":smile: [red]x.csv", "[link=a]b.txt"]


def few(path):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    labels = np.arange(12) % 3
    np.savez(path, x_train=images, y_train=labels, x_test=images[6:], y_test=labels[6:])


@pytest.mark.parametrize("columns", [20, 60, 80, 120])
def test_no_word_of_a_table_is_cut(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    table = Table("method", "UA", Column("fixed", no_wrap=True), Column("MIA", justify="right"))
    rows = [
        ["ℓ1-sparse, proximal", "100.00±0.00‡ (0.00)", "two words", "89.25±2.07† (12.34)"],
        ["GA", "1.00±0.00", "x", "an explanation in words that has room below each other"],
    ]
    for row in rows:
        table.add_row(*row)
    show_table(table)
    shown = capsys.readouterr().out
    assert "…" not in shown
    words = [word for row in rows for cell in row for word in cell.split()]
    assert set(words) <= set(shown.split())
    assert "two words" in shown
    lines = shown.splitlines()
    assert len({len(line) for line in lines}) == 1
    # No wider than the terminal, but for words.
    assert len(lines[0]) <= max(columns, 72)


def test_room_goes_to_the_columns_that_lack_the_most():
    assert shared(30, [5, 5, 2], [10, 6, 2]) == [10, 6, 2]
    assert shared(15, [5, 5, 2], [10, 6, 2]) == [8, 5, 2]
    assert shared(3, [5, 5, 2], [10, 6, 2]) == [5, 5, 2]
    assert shared(10, [], []) == []


def test_everything_is_printed_in_one_place():
    """Only there is markup off for rich, and are control characters escaped."""
    for path in CLI.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "output.py":
            assert not re.search(r"typer\.s?echo\(|\bConsole\(|(?<![.\w])print\(", text), path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with odd names, and data in it."""
    folder = tmp_path_factory.mktemp("odd") / "[b]:smile:"
    (folder / "[").mkdir(parents=True)  # so that `[/b] few.npz` is a path
    few(folder / "[/b] few.npz")
    return folder


@pytest.fixture
def terminal(command, monkeypatch, place):
    """Run a command in that folder, on a wide terminal."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "300")
    return command


@pytest.fixture
def original(terminal):
    return ok(terminal("train", "--data", "[/b] few.npz", "--model", "resnet8", *SMALL)).strip()


@pytest.fixture
def unlearned(terminal, original, place):
    ids = ok(terminal("unlearn", original, "--forget", "random:0.3", "--method", "ga")).strip()
    chosen = ok(terminal("runs", "ids", ids))
    runs = {}
    for name in NAMES:
        (place / name).write_text(chosen)
        runs[name] = ok(terminal("unlearn", original, "--forget", f"ids:{name}", "--method", "ga"))
    return {name: run.strip() for name, run in runs.items()}


def test_names_of_files_are_shown_as_they_are(terminal, place, original, unlearned):
    # The lists hold the same ids, so that they are one run, with the place of the first.
    (run,) = set(unlearned.values())
    listed = ok(terminal("runs", "list"))
    assert f"resnet8 on [/b] few.npz, ids:{NAMES[0]} by ga, seed 0" in listed
    for words in (["runs", "show", run], ["evaluate", run], ["evaluate", run, "--json"]):
        assert f"ids:{NAMES[0]}" in ok(terminal(*words)).replace("\\", "")
    for name in NAMES:
        text = ok(terminal("evaluate", original, "--forget", f"ids:{name}"))
        assert text.startswith(f"{original} on ids:{name}\n")
        (place / "again").with_suffix(".csv").write_text("id\nnobody [/b]\n")
        code, _, err = terminal("unlearn", original, "--forget", "ids:again.csv")
        assert code == 2
        assert "(nobody [/b])" in err


def test_progress_and_notes_show_names_as_they_are(terminal, original, place):
    out = "[/b] gone.safetensors"
    name = "[/b] other.txt"
    ids = ok(terminal("runs", "show", original, "--json"))
    train = json.loads((Path(json.loads(ids)["path"]) / "record.json").read_text())
    assert isinstance(train, dict)
    data = json.loads(ids)["parents"]["data"]
    facts = json.loads((place / "expunge-runs" / data / "facts.json").read_text())
    (place / name).write_text("\n".join(facts["parts"]["train"]["ids"][:2]))
    words = ["--forget", f"ids:{name}", "--method", "ga", "--out", out]
    code, _, err = terminal("unlearn", original, *words)
    assert code == 0
    assert f"unlearn ids:{name} by ga" in err
    assert "forgotten samples are in [/b] gone.ids.csv" in err


RECIPE = """
title = "[/b] :smile: [red]"
scenarios = ["class:0"]
metrics = ["ua", "ra"]
[data]
source = "[/b] few.npz"
name = "[/b] few"
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 0
[methods.ga]
chosen_by = "[/i] hand"
"""


def test_benchmarks_and_reports_show_names_as_they_are(terminal, place):
    (place / "[/b].toml").write_text(RECIPE)
    assert "Report: [/b] out/report.html" in ok(terminal("bench", "[/b].toml", "--out", "[/b] out"))
    results = read_document(place / "[/b] out" / "results.json")
    for cell in results["cells"]:
        cell["scenario"] = "ids:[/b] [red]list.txt"
        cell["gap_reason"] = "[/b] :smile: missing"
    write_document(place / "[/b] results.json", results)
    shown = ok(terminal("report", "[/b] results.json", "--out", "[/b] again"))
    assert "ids:[/b] [red]list.txt" in shown
    assert "[/b] :smile: missing" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["[/b]"],
        ["methods", "[/b]"],
        ["metrics", "[/b]"],
        ["bench", "[/b]"],
        ["theory", "[/b]"],
        ["report", "[/b]"],
        ["runs", "show", "[/b]"],
        ["runs", "ids", "[/b]"],
        ["runs", "remove", "[/b]"],
        ["runs", "[/b]"],
        ["runs", "list", "--[/b]"],
        ["evaluate", "[/b]"],
        ["prune", "[/b]"],
        ["theory-run", "[/b]"],
        ["unlearn", "[/b]", "--forget", "class:1"],
        ["tune", "[/b]", "--run", "a", "--forget", "class:1"],
        ["train", "--data", "[/b]", "--model", "resnet8"],
        ["train", "--data", "digits", "--model", "[/b]"],
    ],
    ids=" ".join,
)
def test_errors_show_names_as_they_are(terminal, words):
    code, out, err = terminal(*words)
    assert (code, out) == (2, "")
    assert "[/b]" in err
    assert "Traceback" not in err


def test_control_characters_do_not_reach_the_terminal(terminal, original):
    code, _, err = terminal("unlearn", original, "--forget", "ids:a\x1b[31m\nred\r.txt")
    assert code == 2
    assert "cannot read the ids in a\\x1b[31m red .txt" in err
    assert visible("tab\tstays\nand lines, \x9b and \x07 do not") == (
        "tab\tstays\nand lines, \\x9b and \\x07 do not"
    )


@pytest.mark.parametrize("columns", ["20", "40", "80"])
def test_a_whole_id_and_whole_numbers_are_shown_on_any_terminal(
    terminal, monkeypatch, original, unlearned, columns
):
    monkeypatch.setenv("COLUMNS", columns)
    run = unlearned[NAMES[0]]
    for words in (["runs", "list"], ["runs", "list", "--all"], ["runs", "show", run]):
        lines = ok(terminal(*words)).splitlines()
        assert any(run in each for each in lines)
    listed = ok(terminal("runs", "list"))
    assert re.search(r"^\S+-[0-9a-f]{16}\b", listed, re.MULTILINE)
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", listed)
    table = ok(terminal("evaluate", run))
    assert run in table.splitlines()[0]
    assert "…" not in table


def test_a_list_of_runs_says_what_they_are(terminal, original, unlearned):
    run = unlearned[NAMES[0]]
    ok(terminal("evaluate", run))
    found = {each["id"]: each for each in json.loads(ok(terminal("runs", "list", "--json")))}
    ta = json.loads(ok(terminal("evaluate", run, "--json")))["metrics"]["ta"]
    about = {
        "data": "[/b] few.npz",
        "network": "resnet8",
        "pruner": None,
        "sparsity": None,
        "method": "ga",
        "scenario": f"ids:{NAMES[0]}",
        "seed": 0,
        "ta": ta,
    }
    assert {name: found[run][name] for name in about} == about
    assert found[original]["scenario"] is found[original]["method"] is None
    listed = ok(terminal("runs", "list"))
    assert f"seed 0, TA {ta:.2f}" in listed
    _, out, err = terminal("runs", "list")
    assert "measure-" not in out
    hidden = int(re.search(r"and (\d+) forget sets", err)[1])
    everything = ok(terminal("runs", "list", "--all"))
    assert len(everything.splitlines()) == len(out.splitlines()) + hidden == len(found)
    sparse = ["prune", original, "--method", "random", "--sparsity", "0.5"]
    pruned = ok(terminal(*sparse, "--rewind", "false")).strip().splitlines()[-1]
    assert f"{pruned} " in ok(terminal("runs", "list"))
    assert "resnet8 on [/b] few.npz, 50% by random, seed 0" in ok(terminal("runs", "list"))


def test_the_accuracy_in_a_list_is_of_what_the_model_unlearned(monkeypatch, tmp_path):
    """A model may be measured in other scenarios, too; an original leaves no class out of TA."""

    def run(name, params=None, where=None, **parents):
        return Summary(
            id=name, kind=name.partition("-")[0], created="", size_bytes=1, label="",
            params=params or {}, parents=parents, where=where or {},
        )  # fmt: skip

    models = {"train-1": {}, "unlearn-1": {"forget": "forget-c"}}
    chosen = {"forget-c": "class:3", "forget-r": "random:0.1"}
    runs = [run(name, **parents) for name, parents in models.items()]
    runs += [run(name, where={"scenario": text}) for name, text in chosen.items()]
    values = {}
    for model in models:
        for forget in chosen:
            name = f"measure-{len(values)}"
            values[name] = (model, forget)
            runs.append(run(name, {"metric": "ta"}, model=model, forget=forget))
    ta = {("train-1", "forget-r"): 90.0, ("unlearn-1", "forget-c"): 80.0}
    monkeypatch.setattr(
        "expunge.graph.kinds.measure.load_measured",
        lambda folder: {"value": ta.get(values[folder.name], 1.0)},
    )
    monkeypatch.setattr("expunge.graph.outcome.divergence", lambda folder: None)
    store = SimpleNamespace(path=tmp_path.joinpath)
    for order in (runs, runs[::-1]):
        found = {run.id: about["ta"] for run, about in describe_runs(store, order)}
        assert {name: found[name] for name in models} == {"train-1": 90.0, "unlearn-1": 80.0}


def test_a_line_breaks_between_words_only():
    run = Summary(
        id="unlearn-0123456789abcdef", kind="unlearn", created="2026-01-02T03:04:05+00:00",
        size_bytes=1, label="", params={}, parents={}, where={}, problem="broken [/b] beyond use",
    )  # fmt: skip
    wide = "unlearn-0123456789abcdef  2026-01-02 03:04    0.0 MB  broken [/b] beyond use"
    assert line(run, {}, 200) == wide
    assert line(run, {}, 10).splitlines() == [
        "unlearn-0123456789abcdef",
        "    2026-01-02 03:04",
        "    0.0 MB  broken [/b]",
        "    beyond use",
    ]


def in_a_shell(script, **environment):
    return subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        timeout=stretched(120),
        env={**os.environ, "EXPUNGE": COMMAND, **environment},
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_is_escaped(encoding):
    done = in_a_shell("$EXPUNGE methods", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert b"\\u2113" in done.stdout


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("cd $(mktemp -d) && rmdir $PWD && $EXPUNGE methods", 0),
        ("cd $(mktemp -d) && rmdir $PWD && $EXPUNGE demo", 2),
        ("$EXPUNGE methods >&-", 0),
        ("$EXPUNGE methods >/dev/full", 2),
        ("set -o pipefail; $EXPUNGE methods | head -0", 1),
        ("HOME=/dev/null/none EXPUNGE_CACHE= $EXPUNGE train --data digits --model resnet8", 2),
        ("$EXPUNGE unlearn train-1 --forget 'ids:~nobody-is-called-this/ids.txt'", 2),
    ],
)
def test_odd_places_are_no_traceback(script, code):
    done = in_a_shell(script)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert (b"error: " in done.stderr) == (code == 2)


def test_without_a_home_the_command_says_what_to_set(command, monkeypatch, tmp_path):
    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("EXPUNGE_CACHE")
    monkeypatch.setattr(Path, "home", none)
    few(tmp_path / "few.npz")
    words = ["--data", tmp_path / "few.npz", "--model", "resnet8", "--store", tmp_path / "runs"]
    code, _, err = command("train", *words)
    assert code == 2
    assert "Could not determine home directory. Set HOME, or EXPUNGE_CACHE" in err
