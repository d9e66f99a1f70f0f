"""Which command a recipe is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from expunge.settings import Training
from expunge.theory.bound import departures_from_theorem

_TABLES = {"target": "transfer", "attribution": "attribution", "pruning": "pruning"}
"""The table by which a recipe is of a study of its own."""


def study_of(tables: Mapping[str, Any]) -> str | None:
    """The study that a recipe's tables are for: `transfer`, `attribution` or `pruning`; else None.

    >>> study_of({"pruning": {}, "pruners": {}}), study_of({"methods": {}})
    ('pruning', None)
    """
    return next((study for table, study in _TABLES.items() if table in tables), None)


def command_of(tables: Mapping[str, Any], training: Training) -> str:
    """The command that runs a recipe with these tables and settings of training.

    What is trained as plainly as the theorem asks for is there for the theorem.
    """
    grid = "bench" if departures_from_theorem(training) else "theory"
    return study_of(tables) or grid
