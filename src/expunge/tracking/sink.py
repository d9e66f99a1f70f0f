"""What a tracker is given, and what it has to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: numbers by step, and what they are of."""

    id: str
    """The same for the same numbers, so that they are not written twice."""
    name: str
    """For people."""
    group: str
    """The id of the model that it is about."""
    about: Mapping[str, str]
    steps: Sequence[Mapping[str, float]]
    """By epoch, from the first: values by name."""
    final: Mapping[str, float] = field(default_factory=dict)
    """What was measured at the end."""


class Sink(Protocol):
    """Where runs are written."""

    def has(self, run_id: str) -> bool:
        """Whether a run was written before."""
        ...

    def write(self, run: Run) -> None:
        """Write a run, whole or not at all.

        Raises:
            StoreError: it cannot be written.
        """
        ...
