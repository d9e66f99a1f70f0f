"""Kill `expunge bench --workers 2` at random moments, run it again, and compare.

`python -m benchmarks.kills --kills 100 --out results/benchmarks/kills-cpu.json`; half a minute or
less per kill. Each kill is a new run of a tiny recipe. KILL, TERM or INT goes to the command, to
the process that its workers are forks of, or to a worker; then the same command runs to its end.
Its results must be those of an undisturbed run in all but times, and five seconds later nothing may
be left: no process, no lock, no semaphore, no temporary file.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import results
from benchmarks.timing import figure
from expunge.runs import JSON, Store

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
seeds = [0, 1]
metrics = ["ua", "ra", "ta", "mia_efficacy"]
[data]
source = "digits"
train_limit = 150
test_limit = 100
[network]
name = "resnet8"
width = 0.5
[training]
epochs = 2
batch_size = 64
lr = 0.1
schedule = "one_cycle"
warmup_epochs = 1
rewind_epoch = 1
[pruners.omp]
sparsity = 0.9
[methods.retrain]
[methods.ft]
epochs = 1
batch_size = 64
"""
TARGETS = ("command", "server", "worker")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SECONDS_TO_END = 5.0
"""Seconds in which everything has to have ended, after a kill and after the run that follows."""
SECONDS_AT_MOST = 300.0
_MARK = "EXPUNGE_BENCHMARK_OF_KILLS"
_UNFINISHED = re.compile(r"\.expunge-.*")


@dataclass(frozen=True)
class Kill:
    """One kill, and what came of it."""

    number: int
    target: str
    signal: str
    moment: float
    """Seconds after the start; later if the target did not exist yet."""
    code: int
    """The command's exit code."""
    seconds: float
    """From the signal to the end of the command."""
    clean: bool
    """No traceback, the right exit code, and no process lived five seconds longer than the command.

    The code is 128 plus the signal's number; 2 if what was killed is not the command; 0 if it had
    done its work, or the signal was Ctrl-C, which only the command listens to.
    """
    equal: bool
    """The run that followed succeeded, with the results and the files of an undisturbed run."""
    left: list[str]
    """What was left five seconds later."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first kill")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/kills.json"))
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        trial = _Trial(Path(folder))
        for number in range(asked.first, asked.first + asked.kills):
            found = trial.kill(number, random.Random(f"{asked.seed} {number}"))
            print(found, flush=True)
            add(asked.out, found, asked.seed)


def add(path: Path, kill: Kill, seed: int) -> None:
    """Add a kill to a measurement, which says how many of its kills went as they must."""
    there = json.loads(path.read_text("utf-8"))["cases"] if path.exists() else []
    others = [each for each in there if each["number"] != kill.number]
    kills = sorted([*others, asdict(kill)], key=lambda each: int(each["number"]))
    counts = {"kills": len(kills), "right": sum(map(_right, kills)), "seed": seed}
    results.write(path, **counts, figures=figures(kills), cases=kills)


def figures(kills: Sequence[Mapping[str, Any]]) -> list[dict[str, JSON]]:
    """The share of kills after which all was right, by target; how long commands took to end."""
    found = []
    for target in TARGETS:
        right = [100.0 * _right(each) for each in kills if each["target"] == target]
        if right:
            item = asdict(figure(f"right after a kill of the {target}", right, unit="%"))
            met = min(right) == 100
            found.append({**item, "value": mean(right), "target": 100.0, "met": met})
    asked = ("SIGTERM", "SIGINT")
    ends = [each for each in kills if each["target"] == "command" and each["signal"] in asked]
    if ends:
        seconds = [each["seconds"] for each in ends]
        name = "from TERM or INT to the end of the command"
        found.append(asdict(figure(name, seconds, unit="s", better="lower", target=SECONDS_TO_END)))
    return found


def _right(kill: Mapping[str, Any]) -> bool:
    return kill["clean"] and kill["equal"] and not kill["left"]


class _Trial:
    """A folder for runs, and what an undisturbed run gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recipe = folder / "tiny.toml"
        self.recipe.write_text(RECIPE, encoding="utf-8")
        start = time.monotonic()
        command = self._start("whole")
        if command.wait() != 0:
            raise SystemExit(f"the undisturbed run failed: {self._said('whole')}")
        self.usual_seconds = time.monotonic() - start
        self.expected = self._found("whole")

    def kill(self, number: int, draw: random.Random) -> Kill:
        """Run, kill, run again, look; as often as it takes to find a process to kill."""
        target, sent = draw.choice(TARGETS), draw.choice(SIGNALS)
        while (kill := self._kill(number, draw, target, sent)) is None:
            continue
        return kill

    def _kill(
        self, number: int, draw: random.Random, target: str, sent: signal.Signals
    ) -> Kill | None:
        name = f"kill{number}"
        moment = draw.uniform(0.05, self.usual_seconds)
        command = self._start(name)
        time.sleep(moment)
        victim = _wait(lambda: self._members(name).get(target), until=command)
        mapped = _semaphores(list(_family(name)))
        if victim is None:
            command.wait(SECONDS_AT_MOST)
            shutil.rmtree(self.folder / name)
            return None
        os.kill(victim, sent)
        start = time.monotonic()
        code = command.wait(SECONDS_AT_MOST)
        seconds = time.monotonic() - start
        ended = _wait(lambda: not _family(name), seconds=SECONDS_TO_END)
        said = self._said(name)
        for pid in _family(name):
            os.kill(pid, signal.SIGKILL)
        again = self._start(name)
        equal = again.wait(SECONDS_AT_MOST) == 0 and self._found(name) == self.expected
        _wait(lambda: not self._left(name, mapped), seconds=SECONDS_TO_END)
        left = self._left(name, mapped)
        shutil.rmtree(self.folder / name)
        return Kill(
            number=number,
            target=target,
            signal=sent.name,
            moment=round(moment, 3),
            code=code,
            seconds=round(seconds, 3),
            clean=bool(ended) and "Traceback" not in said and code in (0, _code(target, sent)),
            equal=equal,
            left=left,
        )

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        place = self.folder / name
        place.mkdir(exist_ok=True)
        words = ["bench", self.recipe, "--out", place / "out", "--workers", "2", "--device", "cpu"]
        own = {_MARK: _mark(name), "EXPUNGE_CACHE": str(place / "cache"), "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{name}.err").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "expunge", *map(str, words)],
                env={**os.environ, **own},
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )

    def _said(self, name: str) -> str:
        return (self.folder / f"{name}.err").read_text("utf-8", errors="replace")

    def _members(self, name: str) -> dict[str, int]:
        """A process of each part, as far as there is one."""
        found: dict[str, int] = {}
        family = _family(name)
        for pid, parent in family.items():
            if b"serve(" in _read(pid, "cmdline"):
                found["worker" if b"serve(" in _read(parent, "cmdline") else "server"] = pid
            elif parent == os.getpid():
                found["command"] = pid
        return found

    def _found(self, name: str) -> tuple[Any, Any]:
        """The results and the store's files, without what is a matter of time."""
        out = self.folder / name / "out"
        document = json.loads((out / "results.json").read_text("utf-8"))
        timed = ("rte_s", "made_by")
        cells = [{k: v for k, v in cell.items() if k not in timed} for cell in document["cells"]]
        store = Store(out / "runs")
        files = {
            each: {k: v for k, v in store.open(each).contents.items() if k != "record.json"}
            for each in sorted(store.ids())
        }
        return cells, files

    def _left(self, name: str, mapped: set[str]) -> list[str]:
        """Everything that a run leaves only while it lasts."""
        place = self.folder / name
        unfinished = [path for path in place.rglob("*") if _UNFINISHED.fullmatch(path.name)]
        locks = list((place / "out" / "runs" / ".locks").glob("*"))
        semaphores = [path for path in mapped if Path(path).exists()]
        return [
            *(f"process {pid}" for pid in _family(name)),
            *(str(path.relative_to(place)) for path in {*unfinished, *locks}),
            *semaphores,
        ]


def _family(name: str) -> dict[int, int]:
    """The processes of a run that have not ended, and their parents."""
    mark = f"{_MARK}={_mark(name)}\0".encode()
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if mark in _read(pid, "environ"):
            state, parent = (_read(pid, "stat").rpartition(b")")[2].split() or [b"Z", b"0"])[:2]
            if state != b"Z":
                found[pid] = int(parent)
    return found


def _code(target: str, sent: signal.Signals) -> int:
    if target == "command":
        return -sent if sent == signal.SIGKILL else 128 + sent
    return 0 if sent == signal.SIGINT else 2


def _mark(name: str) -> str:
    """What tells a run's processes from those of other measurements."""
    return f"{name}-{os.getpid()}"


def _semaphores(pids: list[int]) -> set[str]:
    """The named semaphores that processes have open."""
    maps = b"".join(_read(pid, "maps") for pid in pids)
    return {each.decode() for each in re.findall(rb"/dev/shm/sem\.\S+", maps)}


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _wait(
    what: Callable[[], Any],
    *,
    seconds: float = SECONDS_AT_MOST,
    until: "subprocess.Popen[bytes] | None" = None,
) -> Any:
    """What `what` gives once it is true; None after `seconds`, or if a process ends first."""
    late = time.monotonic() + seconds
    while time.monotonic() < late:
        if found := what():
            return found
        if until is not None and until.poll() is not None:
            return None
        time.sleep(0.02)
    return None


if __name__ == "__main__":
    main()
