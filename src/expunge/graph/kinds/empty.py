"""The kind `empty`: takes a given time and writes nothing, to measure and to test engines."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.graph.kind import Inputs, Kind

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node


def add_empty(graph: Graph, number: int, *before: str, seconds: float = 0.0) -> str:
    """The id of a node that takes `seconds` once the nodes `before` are made.

    `number` distinguishes it from others.
    """
    parents = {f"before_{place}": node_id for place, node_id in enumerate(before)}
    params = {"number": number, "seconds": seconds}
    return graph.add("empty", params, parents, label=f"empty {number}")


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Wait, and write nothing."""
    time.sleep(float(node.params.get("seconds", 0.0)))


KIND = Kind(name="empty", version=1, run=run, computes=False)
