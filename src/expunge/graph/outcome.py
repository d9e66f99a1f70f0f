"""A model that diverged is an outcome: its node holds the reason in place of a model.

So is a network that a method or a pruner refuses, such as one whose layers mix samples. The rest of
a grid goes on, and the node is not made again. Nodes that need the model hold the same reason.
"""

from __future__ import annotations

from pathlib import Path

from expunge.errors import DivergedError, ModelError
from expunge.runs import checked_if_any, read_object, write_json

DIVERGED = "diverged.json"

REFUSED = "refused: "
"""What the reason begins with where a network was refused."""


def write_divergence(folder: Path, reason: str) -> None:
    """Write, in place of the files that a node should have, why it has none."""
    write_json(folder / DIVERGED, {"reason": reason})


def divergence(folder: Path) -> str | None:
    """Why the artefact in this folder holds no model or predictions; None if it does.

    Raises:
        StoreError: the file is damaged.
    """
    path = checked_if_any(folder, DIVERGED)
    return None if path is None else str(read_object(path)["reason"])


def passed_on(model: Path, out: Path) -> bool:
    """Whether the artefact `model` holds no model; the reason then stands in `out` as well.

    Raises:
        StoreError: the file is damaged.
    """
    reason = divergence(model)
    if reason is not None:
        write_divergence(out, reason)
    return reason is not None


def check_diverged(folder: Path) -> None:
    """Refuse an artefact that holds the reason in place of a model or predictions.

    Raises:
        DivergedError: with the reason.
        ModelError: the same, where the network was refused.
    """
    reason = divergence(folder)
    if reason is not None:
        raise (ModelError if reason.startswith(REFUSED) else DivergedError)(reason)
