"""Documents of studies that are not grids: which study one is of, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expunge.digest import without_digest
from expunge.errors import DataError

OWN = {"attribution": "scores", "pruning": "pruned", "theory": "trends", "transfer": "removals"}
"""By study, as its command is called: the list that only its documents have."""


def study_of(document: Mapping[str, Any]) -> str | None:
    """The study that a document is of; None for a grid's.

    >>> study_of({"trends": [], "points": []}), study_of({"cells": []})
    ('theory', None)
    """
    found = (study for study, own in OWN.items() if isinstance(document.get(own), list))
    return next(found, None)


def read_study(path: Path, schema: int) -> dict[str, Any]:
    """The object in a study's JSON file, without its digest.

    Raises:
        DataError: it is missing, is not JSON, has changed since it was written, or is of another
            schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document = without_digest(document) if isinstance(document, dict) else document
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise DataError(f"{path}: expected an object with schema {schema}: measure it again")
    return document
