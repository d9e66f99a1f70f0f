"""Read ids from a file, and write them to one."""

import csv
import io
import re
from collections.abc import Iterable
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
    ids = _from_csv(text, path) if is_csv else lines
    if not ids:
        raise ForgetError(f"{path} holds no ids: expected one id in a line, or CSV")
    return tuple(ids)


def csv_of_ids(ids: Iterable[str]) -> str:
    """The text of a CSV file of these ids, which `read_ids` reads: one per line, headed `id`."""
    rows = [[_HEADER], *([name] for name in ids)]
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        lineterminator="\n",
        # Only in quotes is a carriage return part of an id, and the writer does not know.
        quoting=csv.QUOTE_ALL if any("\r" in name for (name,) in rows) else csv.QUOTE_MINIMAL,
    )
    writer.writerows(rows)
    return text.getvalue()


def _from_csv(text: str, path: Path) -> list[str]:
    try:
        rows = [
            [cell.strip() for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
        ]
    except csv.Error as error:
        raise ForgetError(f"{path} is not valid CSV: {error}") from error
    rows = [row for row in rows if any(row)]
    header = [cell.lower() for cell in rows[0]] if rows else []
    named = _HEADER in header
    column = header.index(_HEADER) if named else 0
    ids = []
    for row in rows[1:] if named else rows:
        if len(row) <= column or not row[column]:
            raise ForgetError(f"{path}: the row {','.join(row)!r} has no id")
        ids.append(row[column])
    return ids


def _cells(lines: list[str]) -> list[str]:
    try:
        return [cell.strip().lower() for row in csv.reader(lines) for cell in row]
    except csv.Error:
        return []
