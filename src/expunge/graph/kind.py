"""What a kind of node is: a function from params and parents' folders to files."""

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
    """How ids of its nodes begin."""
    version: int
    """Raised when the numbers that it makes change: its nodes and all after them are others."""
    run: Callable[[Node, Inputs, Path, Runtime], None]
    """Writes the artefact's files into an empty folder. It reads the node's params, where to find
    what they name, and the folders of the node's direct parents; nothing else."""
    is_model: bool = False
    """Whether its artefact is a model."""
    minor: bool = False
    """Whether there are many and each is small: they are counted where others are listed."""
    computes: bool = True
    """Whether it computes on the device, with the number of threads in its params."""
