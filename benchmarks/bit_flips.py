"""Flip bits in the files of a finished experiment, and see whether what reads them notices.

`python -m benchmarks.bit_flips --flips 300 --out results/benchmarks/bit-flips-cpu.json`; seconds
per flip. Each flip is in a copy of the experiment's folder and of the cache of data. Then four
commands read it: the same bench again, a bench with one more method, evaluate, and report. A flip
is *noticed* if a command refuses, or says in a note that it made the file again and its results are
right; *unread* if no command opens the file; and *silent* otherwise.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from benchmarks import results
from benchmarks.timing import figure
from expunge.cli import main as expunge
from expunge.runs import JSON

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
metrics = ["ua", "ra", "ta"]
[data]
source = "digits"
train_limit = 100
test_limit = 60
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 1
[pruners.omp]
sparsity = 0.5
[methods.retrain]
[methods.ft]
epochs = 1
"""
MORE = "\n[methods.ga]\nepochs = 1\n"
_TIMED = ("rte_s", "made_by")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/bit-flips.json"))
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        trial = Trial(Path(folder))
        cases = []
        for place, bit in trial.flips(asked.flips, random.Random(asked.seed)):
            came = trial.flip(place, bit)
            cases.append({"file": _kind(place), "bit": bit, "came": came})
            if came not in ("noticed", "unread"):
                print(place, bit, came, flush=True)
        counts = Counter(case["came"] for case in cases)
        print(dict(counts))
        found = figures([case["came"] for case in cases])
        parts = {"counts": counts, "figures": found, "cases": cases}
        results.write(asked.out, flips=len(cases), seed=asked.seed, **parts)


def figures(came: Sequence[str]) -> list[dict[str, JSON]]:
    """The share of flips that were noticed in files that a command opens, and of other files."""
    read = [100.0 * (each == "noticed") for each in came if each != "unread"]
    unread = [100.0 * (each == "unread") for each in came]
    noticed = asdict(figure("noticed, in files that a command opens", read, unit="%"))
    others = asdict(figure("in files that no command opens", unread, unit="%"))
    return [
        {**noticed, "value": mean(read), "target": 100.0, "met": min(read) == 100},
        {**others, "value": mean(unread)},
    ]


class Trial:
    """A finished experiment, the commands that read it, and what they give if nothing is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.whole = folder / "whole"
        self.opened: dict[str, set[str]] = {}
        """By command: the files that it opens, relative to the folder that is copied."""
        recipe, more = folder / "tiny.toml", folder / "more.toml"
        recipe.write_text(RECIPE, encoding="utf-8")
        more.write_text(RECIPE + MORE, encoding="utf-8")
        _run(["bench", recipe, "--out", self.whole / "out"], self.whole / "cache")
        cells = json.loads((self.whole / "out" / "results.json").read_text("utf-8"))["cells"]
        dense = {cell["method"]: cell["run"] for cell in cells if cell["pruner"] == "none"}
        pair = [dense["ft"], "--reference", dense["retrain"]]
        store = ["--store", "out/runs"]
        self.commands = {
            "bench": ["bench", recipe, "--out", "out", "--json"],
            "report": ["report", "out", "--out", "out", "--json"],
            "evaluate": ["evaluate", *pair, *store, "--json"],
            "more": ["bench", more, "--out", "more", *store, "--json"],
        }
        place = self._copy()
        self.expected = {}
        self.notes: dict[str, set[str]] = {}
        """By command: the notes that it gives undisturbed."""
        for name, words in self.commands.items():
            with _opened_files() as opened:
                code, out, err = _run(words, place / "cache", place)
            if code:
                raise SystemExit(f"{name} fails undisturbed: {err}")
            self.expected[name], self.notes[name] = _untimed(out), _notes(err)
            self.opened[name] = {
                str(path.relative_to(place)) for path in opened if path.is_relative_to(place)
            }

    def flips(self, count: int, draw: random.Random) -> Iterator[tuple[str, int]]:
        """Files, each as often as any other, and a bit of each."""
        files = [path for path in sorted(self.whole.rglob("*")) if path.is_file()]
        files = [path for path in files if path.stat().st_size]
        draw.shuffle(files)
        for number in range(count):
            path = files[number % len(files)]
            yield str(path.relative_to(self.whole)), draw.randrange(8 * path.stat().st_size)

    def flip(self, name: str, bit: int) -> str:
        """What comes of a flip: `noticed`, `unread`, `silent`, `wrong`, or the name of a crash."""
        readers = [each for each in self.commands if name in self.opened[each]]
        for reader in readers:
            place = self._copy()
            content = bytearray((place / name).read_bytes())
            content[bit // 8] ^= 1 << bit % 8
            (place / name).write_bytes(content)
            try:
                code, out, err = _run(self.commands[reader], place / "cache", place)
            except Exception as error:
                return f"{type(error).__name__} in {reader}"
            refused = code == 2 and "error:" in err
            if not refused and (code or not _notes(err) - self.notes[reader]):
                return f"silent in {reader}"
            if not refused and _untimed(out) != self.expected[reader]:
                return f"wrong in {reader}"
        return "noticed" if readers else "unread"

    def _copy(self) -> Path:
        place = self.folder / "copy"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.whole, place)
        return place


def _notes(err: str) -> set[str]:
    return {line for line in err.splitlines() if line.startswith("note:")}


def _run(words: list[Any], cache: Path, place: Path | None = None) -> tuple[int, str, str]:
    """A command in this process: its exit code, standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    # Notes go through the program's own log, whoever else listens.
    notes = logging.StreamHandler(err)
    log = logging.getLogger("expunge")
    log.addHandler(notes)
    with (
        mock.patch.dict(os.environ, {"EXPUNGE_CACHE": str(cache)}),
        mock.patch.object(sys, "argv", ["expunge", *map(str, words)]),
        contextlib.chdir(place or Path.cwd()),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            expunge()
        except SystemExit as ended:
            code = ended.code
        finally:
            log.removeHandler(notes)
    return int(code or 0), out.getvalue(), err.getvalue()


_recording: list[set[Path]] = []


def _record(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _recording and isinstance(arguments[0], str | bytes):
        _recording[-1].add(Path(os.path.abspath(os.fsdecode(arguments[0]))))  # noqa: PTH100


sys.addaudithook(_record)


@contextlib.contextmanager
def _opened_files() -> Iterator[set[Path]]:
    """The files that this process opens in the block."""
    _recording.append(set())
    try:
        yield _recording[-1]
    finally:
        _recording.clear()


def _untimed(out: str) -> Any:
    """What a command printed, without what is a matter of time."""

    def rest(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {name: rest(each) for name, each in value.items() if name not in _TIMED}
            return {name: each for name, each in kept.items() if name != "makers"}
        return [rest(each) for each in value] if isinstance(value, list) else value

    return rest(json.loads(out))


def _kind(name: str) -> str:
    """A file's place without ids: the kind of its node, and its name."""
    *folders, file = name.split("/")
    return "/".join([*(folder.rpartition("-")[0] or folder for folder in folders[:3]), file])


if __name__ == "__main__":
    main()
