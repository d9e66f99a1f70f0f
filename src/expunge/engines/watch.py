"""Callbacks that report a run's progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from expunge.settings import Progress, silent

Announce = Callable[[str, str, float | None], None]
"""Called once for every made or found node: its id, its label, and the seconds it took, or None if
it was already in the store."""


def quiet(node_id: str, label: str, seconds: float | None) -> None:
    """The announcement callback that does nothing."""


@dataclass(frozen=True)
class Watch:
    """The callbacks of a run."""

    progress: Progress = silent
    """Called for the steps within a node."""
    announce: Announce = quiet
    """Called for every made or found node."""
