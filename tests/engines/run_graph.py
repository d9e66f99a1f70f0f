# ruff: noqa: T201
"""Run a graph of empty nodes by an engine, in a process that tests may kill.

A first node, as many lines after it as asked, and a last node that needs them all.
"""

import argparse
import errno
import fcntl
import json
import os
import sys
from pathlib import Path

from expunge.engines import Engine, Shard, Watch, run
from expunge.errors import ExpungeError
from expunge.graph.graph import Graph
from expunge.graph.kinds.empty import add_empty
from expunge.graph.runtime import Place
from expunge.runs import Store

PARSER = argparse.ArgumentParser()
PARSER.add_argument("root", type=Path)
PARSER.add_argument("--engine", default="here")
PARSER.add_argument("--workers", type=int)
PARSER.add_argument("--shard")
PARSER.add_argument("--slurm", type=json.loads, default={})
PARSER.add_argument("--lines", type=int, default=4)
PARSER.add_argument("--length", type=int, default=3)
PARSER.add_argument("--seconds", type=float, default=0.0)
PARSER.add_argument("--no-locks", action="store_true")
PARSER.add_argument("--host", help="What this process takes its host for.")


def make_graph(root, lines, length, seconds):
    graph = Graph(Store(root))
    first = add_empty(graph, 0)
    ends = []
    for line in range(lines):
        last = first
        for place in range(length):
            last = add_empty(graph, 1 + line * length + place, last, seconds=seconds)
        ends.append(last)
    add_empty(graph, 1 + lines * length, *ends)
    return graph


def main():
    asked = PARSER.parse_args()
    if asked.no_locks:

        def refuse(descriptor, operation):
            raise OSError(errno.ENOTSUP, "no locks here")

        fcntl.flock = refuse
    if asked.host:
        named = os.uname_result((os.uname()[0], asked.host, *os.uname()[2:]))
        os.uname = lambda: named
    graph = make_graph(asked.root, asked.lines, asked.length, asked.seconds)
    engine = Engine(
        name=asked.engine,
        workers=asked.workers,
        shard=Shard.parse(asked.shard) if asked.shard else None,
        slurm=asked.slurm,
    )
    watch = Watch(announce=lambda name, label, seconds: print(name, seconds, flush=True))
    try:
        left = run(graph, engine, Place(device="cpu"), watch)
    except ExpungeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print("left", left)


if __name__ == "__main__":
    main()
