"""Folders of images, or of parquet files of images, numbers or tokens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.places import files_digest
from expunge.data.sources.source import Role, Source
from expunge.data.spec import DataSpec

if TYPE_CHECKING:
    from expunge.types import Samples


def load_folder(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """What the Hugging Face library finds in the folder.

    Raises:
        DataError: it finds no dataset, or a file or column is not fit.
    """
    from expunge.data.cache import cached, decoding
    from expunge.data.huggingface import open_folder, read_splits

    folder = Path(spec.source).expanduser()
    name = spec.name or folder.resolve().name

    def build(aside: Path) -> dict[Role, Samples]:
        scratch = aside / "scratch"
        parts = read_splits(open_folder(folder, spec.config, scratch), spec, aside, name)
        shutil.rmtree(scratch, ignore_errors=True)
        return parts

    return cached(cache, {"files": files_digest(folder), **decoding(spec)}, name, build)


SOURCE = Source(
    name="folder",
    form="a folder of parquet files or images",
    recognises=lambda source: Path(source).expanduser().is_dir(),
    load=load_folder,
    stamp=lambda source: files_digest(Path(source).expanduser()),
)
