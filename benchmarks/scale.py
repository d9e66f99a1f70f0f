"""What a node costs beyond its work, and what planning many of them takes.

`python -m benchmarks.scale --nodes 1000 100000 --out results/benchmarks/scale-cpu.json`; ten
minutes or so. Every measurement is a process of its own over an empty store.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import results
from benchmarks.timing import Figure, figure

ROOT = Path(__file__).parent.parent
MEMORY = Path("/dev/shm")
"""A file system without a disk."""
MOST_NODES = 100_000
"""That planning is to take no more than the two targets for."""
MOST_SECONDS, MOST_MIB, MOST_MS = 20.0, 1024.0, 5.0
SEVERAL = ("processes", "ray")
WORKERS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--out", type=Path, default=Path("build/scale.json"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--disk", type=Path, default=ROOT, help="a folder on a disk")
    asked = parser.parse_args()
    found: list[Figure] = []
    for item in figures(sorted(asked.nodes), asked.rounds, asked.disk):
        low, high = item.spread
        print(f"{item.name}: {item.value:.4g} {item.unit} ({low:.4g}-{high:.4g})", flush=True)
        found.append(item)
        results.write(asked.out, figures=[asdict(each) for each in found])


def figures(nodes: Sequence[int], rounds: int, disk: Path) -> Iterator[Figure]:
    """Planning, then each engine; the slow sides at the smallest number of nodes only."""
    for count in nodes:
        yield from _planning(count, rounds)
    for count in nodes:
        yield from _here(count, rounds, MEMORY, "in memory")
    yield from _here(nodes[0], rounds, disk, "on a disk")
    for engine in SEVERAL:
        yield from _several(engine, nodes[0], rounds)


def _planning(count: int, rounds: int) -> Iterator[Figure]:
    with _folder(MEMORY) as folder:
        cases = [_case("plan", folder / "runs", count) for _ in range(rounds)]
    judged = count == MOST_NODES
    for key, unit, target in (("seconds", "s", MOST_SECONDS), ("mib", "MiB", MOST_MIB)):
        yield figure(
            f"planning {count:,} nodes",
            [case[key] for case in cases],
            unit=unit,
            better="lower",
            target=target if judged else None,
        )
    if judged:
        yield figure(
            "a task of one node, as it is sent",
            [case["task_bytes"] for case in cases],
            unit="bytes",
            better="lower",
        )


def _here(count: int, rounds: int, where: Path, called: str) -> Iterator[Figure]:
    values, least, again = [], [], []
    for _ in range(rounds):
        with _folder(where) as folder:
            values.append(_case("here", folder / "runs", count)["ms"])
            again.append(_case("plan", folder / "runs", count)["seconds"])
            least.append(_least_ms(folder))
    yield figure(
        f"a node, here, {called}, {count:,} nodes",
        values,
        unit="ms",
        better="lower",
        floor=median(least),
        target=MOST_MS if where == MEMORY else None,
    )
    yield figure(
        f"planning {count:,} nodes that are there, {called}", again, unit="s", better="lower"
    )


def _several(engine: str, count: int, rounds: int) -> Iterator[Figure]:
    cases = []
    for _ in range(rounds):
        with _folder(MEMORY) as folder:
            cases.append(_case(engine, folder / "runs", count, "--workers", WORKERS))
    name = f"{engine}, {WORKERS} workers"
    yield figure(
        f"a node, {name}, in memory, {count:,} nodes",
        [case["ms"] for case in cases],
        unit="ms",
        better="lower",
    )
    yield figure(
        f"until the first node is there, {name}",
        [case["start_seconds"] for case in cases],
        unit="s",
        better="lower",
    )


def _least_ms(folder: Path, count: int = 200) -> float:
    """What the file system alone takes for one small file in a folder of its own, on the disk."""
    start = time.perf_counter()
    for number in range(count):
        aside = folder / f"aside-{number}"
        aside.mkdir()
        with (aside / "artefact.json").open("wb") as file:
            file.write(b" " * 1000)
            file.flush()
            os.fsync(file.fileno())
        descriptor = os.open(aside, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        aside.rename(folder / f"empty-{number}")
    return 1000 * (time.perf_counter() - start) / count


def _case(what: str, root: Path, count: int, *words: object) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale_case", what, root, str(count), *map(str, words)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _folder(where: Path) -> Iterator[Path]:
    with TemporaryDirectory(dir=where, prefix="expunge-scale-") as name:
        yield Path(name)


if __name__ == "__main__":
    main()
