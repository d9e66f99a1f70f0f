"""Read ids from a file."""

import csv
import re
from pathlib import Path

from expunge.errors import ForgetError

_HEADER = "id"


def read_ids(path: Path) -> tuple[str, ...]:
    """The ids in a file, in its order.

    A file with the suffix `.csv`, or with `id` in its first line, is CSV: the ids are in its column
    `id`, or in its first column if there is no such header. Other text files have one id per line.
    Blank lines and, outside CSV, lines that start with `#` are skipped.

    Raises:
        ForgetError: the file is missing, is not text, or has no ids.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark first.
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ForgetError(f"cannot read the ids in {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ForgetError(f"{path} is not a text file: expected one id in a line, or CSV")
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if path.suffix.lower() != ".csv":
        lines = [line for line in lines if not line.startswith("#")]
    is_csv = path.suffix.lower() == ".csv" or _HEADER in _cells(lines[:1])
    ids = _from_csv(lines, path) if is_csv else lines
    if not ids:
        raise ForgetError(f"{path} holds no ids: expected one id in a line, or CSV")
    return tuple(ids)


def _from_csv(lines: list[str], path: Path) -> list[str]:
    header = _cells(lines[:1])
    named = _HEADER in header
    column = header.index(_HEADER) if named else 0
    ids = []
    try:
        for row in csv.reader(lines[1:] if named else lines, strict=True):
            if len(row) <= column or not row[column].strip():
                raise ForgetError(f"{path}: the row {','.join(row)!r} has no id")
            ids.append(row[column].strip())
    except csv.Error as error:
        raise ForgetError(f"{path} is not valid CSV: {error}") from error
    return ids


def _cells(lines: list[str]) -> list[str]:
    try:
        return [cell.strip().lower() for row in csv.reader(lines) for cell in row]
    except csv.Error:
        return []
