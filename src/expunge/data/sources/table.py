"""CSV and parquet files of numbers or tokens, one sample per row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.places import files_digest, walk
from expunge.data.sources.source import Role, Source
from expunge.data.spec import OF_IMAGES, OF_SPLITS, DataSpec, refuse
from expunge.errors import DataError, some

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
        from expunge.data.table_files import read_columns
        from expunge.data.tables import join

        files = {role: read_columns(file) for role, file in _files(path).items()}
        tables = {
            role: table_of_columns(columns, spec, str(_files(path)[role]))
            for role, columns in files.items()
        }
        if left_out := _left_out(path):
            note = f"left out other files of {path}: {some(left_out)}"
            tables["train"] = replace(tables["train"], notes=(*tables["train"].notes, note))
        return join(tables, name)

    return cached(cache, {"table": files_digest(path), **decoding(spec)}, name, build)


def _files(path: Path) -> dict[Role, Path]:
    if path.is_file():
        return {"train": path}
    roles: tuple[Role, ...] = ("train", "test", "validation")
    return {role: file for role in roles if (file := path / f"{role}.csv").is_file()}


def _left_out(path: Path) -> list[str]:
    read = {file.name for file in _files(path).values()}
    return [name for name in walk(path).files if name not in read] if path.is_dir() else []


def _recognises(source: str) -> bool:
    path = Path(source).expanduser()
    return (path / "train.csv").is_file() if path.is_dir() else path.suffix.lower() in _SUFFIXES


SOURCE = Source(
    name="table",
    form="a .csv or .parquet file",
    recognises=_recognises,
    load=load_table,
    stamp=lambda source: files_digest(Path(source).expanduser()),
)
