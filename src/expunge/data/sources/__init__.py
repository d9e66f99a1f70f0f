"""Data sources, one per file, and `SOURCES`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.places import default_cache
from expunge.data.sources import (
    breast_cancer,
    callable_,
    digits,
    folder,
    hub,
    npz,
    table,
)
from expunge.data.sources.source import Role, Source
from expunge.data.spec import DataSpec
from expunge.errors import DataError
from expunge.plugins import with_added

if TYPE_CHECKING:
    from expunge.types import Dataset, Samples

SOURCES: tuple[Source, ...] = (
    digits.SOURCE,
    breast_cancer.SOURCE,
    table.SOURCE,
    folder.SOURCE,
    npz.SOURCE,
    callable_.SOURCE,
    hub.SOURCE,
)
"""Every source there is; the first that recognises a dataset reads it."""


def all_sources() -> tuple[Source, ...]:
    """Every source, in lookup order: the entry points `expunge.sources`, then `SOURCES`.

    Raises:
        ConfigError: an added source is no `Source`, or takes a name that is already there.
    """
    found = with_added("expunge.sources", Source, SOURCES)
    own = {source.name for source in SOURCES}
    return (*(source for name, source in found.items() if name not in own), *SOURCES)


def find_source(dataset: str) -> Source:
    """The source that reads `dataset`, as in `DataSpec.source`; nothing is read yet.

    Raises:
        DataError: there is none.
    """
    for source in all_sources():
        if source.recognises(dataset):
            return source
    raise DataError(f"unknown dataset {dataset!r}: expected {forms()}")


def forms() -> str:
    """The accepted dataset names, in one line."""
    names = [source.form for source in all_sources()]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def load(spec: DataSpec, cache_dir: Path | None = None) -> Dataset:
    """The dataset of `spec`, divided into training, validation and test samples.

    Raises:
        DataError: the source is not there, cannot be read, or does not fit together.
        ConfigError: a setting does not apply to this source.
    """
    from expunge.data.divide import divide

    return divide(read_parts(spec, cache_dir), spec)


def read_parts(spec: DataSpec, cache_dir: Path | None = None) -> Mapping[Role, Samples]:
    """The source's samples by role, on the CPU: in memory, or mapped from the cache's files.

    What was decoded is kept in `cache_dir`, otherwise in the folder that `EXPUNGE_CACHE` names,
    otherwise in `~/.cache/expunge/data`. The source's own files are only read.

    Raises:
        DataError: the source is not there, cannot be read, or does not fit together.
        ConfigError: a setting does not apply to this source, or gives other classes.
    """
    from expunge.data.classes import with_classes

    return with_classes(find_source(spec.source).load(spec, cache_dir or default_cache()), spec)
