"""The record of how a model was made: its seconds, notes, and what its kind adds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expunge.runs import checked, read_object, write_json

RECORD = "record.json"


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write a model's record into its folder."""
    write_json(folder / RECORD, record)


def load_record(folder: Path) -> dict[str, Any]:
    """The record of the model in this folder.

    Raises:
        StoreError: the file is damaged or missing.
    """
    return read_object(checked(folder, RECORD))
