"""Columns of CSV, JSON-lines and parquet files, as they are written."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import DataError
from expunge.memory import over_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

_CSV_GROWTH = 10
"""Memory that the cells of a CSV file need as texts, at most about so many times its size."""
_CELL_BYTES = 16
"""Memory that a cell of a parquet file needs at least."""


def read_columns(path: Path) -> Mapping[str, Any]:
    """The columns of a table by name: lists of values, or Arrow columns of a parquet file.

    Raises:
        DataError: the file cannot be read, or is not such a table.
    """
    match path.suffix.lower():
        case ".csv":
            return _read_csv(path)
        case ".jsonl":
            return _read_json_lines(path)
        case _:
            return _read_parquet(path)


def _check_memory(needed: int, path: Path) -> None:
    if over := over_memory(needed):
        raise DataError(f"{path} needs memory of about {over}: use fewer or smaller samples")


def _read_csv(path: Path) -> dict[str, list[str]]:
    """Cells as text, by column: `00001` is a name, not a number."""
    try:
        _check_memory(path.stat().st_size * _CSV_GROWTH, path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path} as a CSV file in UTF-8: {error}") from error
    rows = [row for row in rows if row]
    if len(rows) < 2:
        raise DataError(f"{path} is empty: expected a line of column names and a line a sample")
    header = [name.strip() for name in rows[0]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}: columns are named twice: {', '.join(twice)}")
    for number, row in enumerate(rows[1:]):
        if len(row) != len(header):
            raise DataError(f"{path}, row {number}: expected {len(header)} values, got {len(row)}")
    return dict(zip(header, map(list, zip(*rows[1:], strict=True)), strict=True))


def _read_json_lines(path: Path) -> dict[str, list[Any]]:
    """One object a line; a name that an object lacks is None there."""
    rows = []
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file):
                if line.strip():
                    rows.append(json.loads(line))
                    if not isinstance(rows[-1], dict):
                        raise DataError(f"{path}, line {number + 1}: expected an object {{...}}")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {path} as JSON lines: {error}") from error
    if not rows:
        raise DataError(f"{path} is empty: expected an object {{...}} a line")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _read_parquet(path: Path) -> dict[str, Any]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(
            f'{path} needs the library `pyarrow`: pip install "expunge[hub]"'
        ) from error
    try:
        # Of this one file: its folder's name is no column.
        file = parquet.ParquetFile(path)
        groups = range(file.metadata.num_row_groups)
        size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        # A run of equal values takes hardly any bytes in the file.
        cells = file.metadata.num_rows * file.metadata.num_columns
        _check_memory(max(size, cells * _CELL_BYTES), path)
        table = file.read()
    except DataError:
        raise
    except Exception as error:
        line = " ".join(str(error).split())
        raise DataError(f"cannot read {path} as a parquet file: {line}") from error
    return {name: table[name] for name in table.column_names}
