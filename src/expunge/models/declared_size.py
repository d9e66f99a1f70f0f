"""Refuse networks and files of weights by the size that they declare, before memory is taken."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from expunge.errors import CheckpointError, ModelError, out_of_memory
from expunge.memory import byte_count, over_memory

_INFLATED = 20
"""How many times its own size a file of weights may declare. PyTorch does not compress."""
_SMALL = 2**26
"""A file may always declare this many bytes."""


def check_network(name: str, make: Callable[[], nn.Module]) -> None:
    """Refuse a network whose parameters and buffers do not fit in memory; `make` builds it.

    Raises:
        ModelError: they do not fit.
    """
    try:
        with torch.device("meta"):
            network = make()
        needed = sum(each.nbytes for each in (*network.parameters(), *network.buffers()))
    except (RuntimeError, TypeError, OverflowError) as error:
        # Sizes beyond 64 bits are refused in several ways.
        if not (out_of_memory(error) or isinstance(error, TypeError | OverflowError)):
            raise
        raise ModelError(f"{name} is too large to count its weights: make it smaller") from None
    if over := over_memory(needed):
        raise ModelError(f"the weights of {name} take {over}: make it smaller")


def check_file(path: Path) -> None:
    """Refuse a PyTorch file whose tensors do not fit in memory, or that inflates when read.

    Raises:
        CheckpointError: it is such a file.
    """
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as file:
            declared = sum(entry.file_size for entry in file.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return  # reading it says what is wrong
    if over := over_memory(declared):
        raise CheckpointError(f"{path} is refused: its tensors take {over}")
    if declared > max(_SMALL, _INFLATED * size):
        raise CheckpointError(
            f"{path} is refused: {byte_count(size)} that would inflate to {byte_count(declared)}; "
            "save it again with torch.save, which does not compress"
        )
