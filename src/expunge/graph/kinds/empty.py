"""The kind `empty`: does nothing, so that what a node costs beyond its work can be measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from expunge.graph.kind import Inputs, Kind

if TYPE_CHECKING:
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Nothing."""


KIND = Kind(name="empty", version=1, run=run, computes=False)
