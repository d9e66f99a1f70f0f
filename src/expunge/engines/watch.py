"""What is told of a run while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from expunge.settings import Progress, silent

Announce = Callable[[str, str, float | None], None]
"""Told once of every node that is there: its id, what people call it, and the seconds that it took,
or None where it was there already."""


def quiet(node_id: str, label: str, seconds: float | None) -> None:
    """The announcement callback that says nothing."""


@dataclass(frozen=True)
class Watch:
    """Who is told."""

    progress: Progress = silent
    """Of the steps within a node."""
    announce: Announce = quiet
    """Of every node that is there."""
