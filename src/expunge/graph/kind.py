"""A kind of node: a function from params and the parents' folders to files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

Inputs = Mapping[str, Path]
"""By role: the folder of each parent's artefact."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of node."""

    name: str
    """The start of its nodes' ids."""
    version: int
    """Raise it when results change: the kind's nodes, and all that descend from them, get new
    ids."""
    run: Callable[[Node, Inputs, Path, Runtime], None]
    """Writes the artefact's files into an empty folder. It reads only the node's params, the places
    of what they name, and the folders of the node's direct parents."""
    is_model: bool = False
    """Whether its artefact is a model."""
    minor: bool = False
    """Whether its nodes are many and small, so that progress counts them instead of listing."""
    computes: bool = True
    """Whether it computes on the device, with as many threads as its params give."""
