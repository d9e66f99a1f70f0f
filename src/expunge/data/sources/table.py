"""CSV and parquet files of numbers or tokens, one sample per row."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.data.places import files_digest
from expunge.data.sources.source import Role, Source
from expunge.data.spec import OF_IMAGES, OF_SPLITS, DataSpec, refuse
from expunge.errors import DataError

if TYPE_CHECKING:
    from expunge.types import Samples

_SUFFIXES = (".csv", ".parquet")


def load_table(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """A file, or a folder with `train.csv` and perhaps `test.csv` and `validation.csv`.

    Raises:
        ConfigError: a setting of splits or images is given.
        DataError: a file cannot be read, or a column is missing or not fit.
    """
    from expunge.data.cache import cached, decoding

    refuse(spec, "config", "image_column", *OF_SPLITS, *OF_IMAGES)
    path = Path(spec.source).expanduser()
    if not path.exists():
        raise DataError(f"there is no file {path}: expected a .csv or .parquet file")
    name = spec.name or (path.stem if path.is_file() else path.resolve().name)

    def build(aside: Path) -> dict[Role, Samples]:
        from expunge.data.columns import table_of_columns
        from expunge.data.tables import join

        files = {role: _read(file) for role, file in _files(path).items()}
        tables = {
            role: table_of_columns(columns, spec, str(_files(path)[role]))
            for role, columns in files.items()
        }
        return join(tables, name)

    return cached(cache, {"table": files_digest(path), **decoding(spec)}, name, build)


def _files(path: Path) -> dict[Role, Path]:
    if path.is_file():
        return {"train": path}
    roles: tuple[Role, ...] = ("train", "test", "validation")
    return {role: file for role in roles if (file := path / f"{role}.csv").is_file()}


def _read(path: Path) -> Mapping[str, Any]:
    return _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)


def _read_csv(path: Path) -> dict[str, list[str]]:
    """Cells as text, by column: `00001` is a name, not a number."""
    try:
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


def _read_parquet(path: Path) -> dict[str, Any]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(
            f'{path} needs the library `pyarrow`: pip install "expunge[hub]"'
        ) from error
    try:
        # Of this one file: its folder's name is no column.
        table = parquet.ParquetFile(path).read()
    except Exception as error:
        line = " ".join(str(error).split())
        raise DataError(f"cannot read {path} as a parquet file: {line}") from error
    return {name: table[name] for name in table.column_names}


def _recognises(source: str) -> bool:
    path = Path(source).expanduser()
    return (path / "train.csv").is_file() if path.is_dir() else path.suffix in _SUFFIXES


SOURCE = Source(
    name="table",
    form="a .csv or .parquet file",
    recognises=_recognises,
    load=load_table,
    stamp=lambda source: files_digest(Path(source).expanduser()),
)
