"""Folders of images, or of parquet files of images, numbers or tokens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.places import Tree, files_digest, walk
from expunge.data.sources.source import Role, Source
from expunge.data.spec import DataSpec
from expunge.errors import DataError, some

if TYPE_CHECKING:
    from expunge.types import Samples


def load_folder(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """The images of the folder, or what the Hugging Face library finds in its parquet files.

    Raises:
        ConfigError: a setting does not apply.
        DataError: the folder holds no data, or a file or column is not fit.
    """
    from expunge.data.cache import cached, decoding
    from expunge.data.hf_library import open_folder
    from expunge.data.huggingface import read_splits
    from expunge.data.image_folder import images_in, read_images

    folder = Path(spec.source).expanduser()
    name = spec.name or folder.resolve().name

    def build(aside: Path) -> dict[Role, Samples]:
        tree = walk(folder)
        images, parquet = images_in(tree), _parquet_in(tree)
        if images and parquet:
            raise DataError(
                f"{folder} holds {len(images)} images ({some(images, 3)}) and {len(parquet)} "
                f"parquet files ({some(parquet, 3)}): expected one or the other, give the folder "
                "that holds only the data"
            )
        if images:
            return read_images(folder, tree, spec, aside, name)
        if not parquet:
            raise DataError(_nothing_in(folder, tree))
        scratch = aside / "scratch"
        splits, used = open_folder(folder, spec.config, scratch)
        parts = read_splits(splits, spec, aside, name, _unused(folder, parquet, used))
        shutil.rmtree(scratch, ignore_errors=True)
        return parts

    return cached(cache, {"files": files_digest(folder), **decoding(spec)}, name, build)


def _parquet_in(tree: Tree) -> list[str]:
    return [
        name
        for name in tree.files
        if name.lower().endswith(".parquet") and name.rpartition("/")[2] != "metadata.parquet"
    ]


def _nothing_in(folder: Path, tree: Tree) -> str:
    tables = [name for name in tree.files if name.lower().endswith(".csv")]
    if tables:
        return (
            f"{folder} holds no images but {some(tables, 5)}: CSV files in a folder must be called "
            "train.csv, test.csv and validation.csv; a table of another name is given as a file"
        )
    found = some(tree.files, 5) or "no files"
    return f"{folder} holds neither images nor parquet files: found {found}"


def _unused(folder: Path, parquet: list[str], used: list[str]) -> tuple[str, ...]:
    """Which parquet files are in no split, because of their names or of the configuration."""
    read = {Path(file).resolve() for file in used}
    left_out = [name for name in parquet if (folder / name).resolve() not in read]
    if not left_out:
        return ()
    return (
        f"left out {len(left_out)} parquet files: {some(left_out, 5)}: they are of another "
        "configuration, or their names say no split while those of others do",
    )


SOURCE = Source(
    name="folder",
    form="a folder of parquet files or images",
    recognises=lambda source: Path(source).expanduser().is_dir(),
    load=load_folder,
    stamp=lambda source: files_digest(Path(source).expanduser()),
    version=2,
)
