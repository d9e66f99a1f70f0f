"""One measurement of scale, in a process of its own; it prints what it measured as JSON."""

import argparse
import json
import pickle
import time
from pathlib import Path

from expunge.engines import ENGINES, Engine, Watch, run
from expunge.engines.remote import Task
from expunge.engines.schedule import Schedule
from expunge.graph.graph import Graph
from expunge.graph.kinds.empty import add_empty
from expunge.graph.plan import plan
from expunge.graph.runtime import Place
from expunge.runs import Store


def add_grid(graph: Graph, count: int) -> None:
    """Nodes as a grid has them: data, and models in lines of four, each measured six times."""
    data = add_empty(graph, 0)
    number = 1
    while len(graph) < count:
        trained = add_empty(graph, number, data)
        pruned = add_empty(graph, number + 1, data, trained)
        unlearned = add_empty(graph, number + 2, data, trained, pruned)
        predicted = add_empty(graph, number + 3, data, unlearned)
        for place in range(4, min(10, count - number)):
            add_empty(graph, number + place, unlearned, predicted)
        number += 10


def planned(root: Path, count: int) -> dict[str, float]:
    """Seconds until the first node could begin, MiB of the process, and bytes of a task."""
    start = time.perf_counter()
    graph = Graph(Store(root))
    add_grid(graph, count)
    schedule = Schedule(plan(graph))
    seconds = time.perf_counter() - start
    first = schedule.next() or next(iter(graph))
    nodes = [(first.to_json(), graph.labels[first.id])]
    return {
        "seconds": seconds,
        "mib": _peak_mib(),
        "task_bytes": float(len(pickle.dumps(Task(nodes=nodes, engine="ray")))),
    }


def _peak_mib() -> float:
    """The most memory that this process has held, without what its parent held before it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (peak,) = (row for row in status.splitlines() if row.startswith("VmHWM:"))
    return int(peak.split()[1]) / 2**10


def made(root: Path, count: int, engine: Engine) -> dict[str, float]:
    """Milliseconds from node to node, and seconds until the first one is there."""
    graph = Graph(Store(root))
    add_grid(graph, count)
    told: list[float] = []
    watch = Watch(announce=lambda *_: told.append(time.perf_counter()))
    start = time.perf_counter()
    run(graph, engine, Place(device="cpu"), watch)
    return {
        "ms": 1000 * (told[-1] - told[0]) / (len(told) - 1),
        "start_seconds": told[0] - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("plan", *ENGINES))
    parser.add_argument("root", type=Path)
    parser.add_argument("nodes", type=int)
    parser.add_argument("--workers", type=int)
    asked = parser.parse_args()
    if asked.what == "plan":
        found = planned(asked.root, asked.nodes)
    else:
        engine = Engine(name=asked.what, workers=asked.workers)
        found = made(asked.root, asked.nodes, engine)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
