"""Something about samples in a CSV file, by their ids."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from expunge.errors import DataError, some


def read_by_id(path: str | Path, column: str) -> dict[str, str]:
    """What a column says of each sample by id, from a CSV file with a column `id` beside it.

    Raises:
        DataError: the file is missing, is no such CSV, or names a sample twice.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark first.
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise DataError(f"cannot read the {column}s in {path}: {reason}") from error
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), strict=True)
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise DataError(f"{path} is not valid CSV: {error}") from error
    header = [cell.lower() for cell in rows[0]] if rows else []
    if not {"id", column} <= set(header):
        found = some(header) or "none"
        raise DataError(f"{path}: expected the columns id and {column}, got {found}")
    places = header.index("id"), header.index(column)
    listed: dict[str, str] = {}
    for row in rows[1:]:
        name, value = (row[place] if place < len(row) else "" for place in places)
        if not name or not value:
            raise DataError(f"{path}: the row {','.join(row)!r} lacks an id or a {column}")
        if name in listed:
            raise DataError(f"{path}: the sample {name} is there twice")
        listed[name] = value
    if not listed:
        raise DataError(f"{path} lists no samples: expected rows with an id and a {column}")
    return listed


def ids_digest(ids: Iterable[str]) -> str:
    """Hex digest of ids, in whatever order they are listed."""
    return hashlib.blake2b(json.dumps(sorted(ids)).encode(), digest_size=16).hexdigest()


def digest_of(listed: Mapping[str, str]) -> str:
    """Hex digest of what is said of samples, in whatever order they are listed."""
    return hashlib.blake2b(repr(sorted(listed.items())).encode(), digest_size=16).hexdigest()
