"""A data source: its name, and a function that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from expunge.data.spec import DataSpec

if TYPE_CHECKING:
    from expunge.types import Samples

Role = Literal["train", "test", "validation"]
"""The purpose of a part of the data."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One data source."""

    name: str
    """What lists call it."""
    form: str
    """The form of its names in `DataSpec.source`, for messages."""
    recognises: Callable[[str], bool]
    """Whether a `DataSpec.source` is one of its datasets; it reads no data."""
    load: Callable[[DataSpec, Path], Mapping[Role, Samples]]
    """From the spec and the folder of the cache to `train`, and `test` and `validation` where the
    source has them; their inputs are on the CPU, of one kind and shape, their classes the same."""
    stamp: Callable[[str], str | None] = lambda source: None
    """Of a `DataSpec.source`: a text that changes when its data do, found without reading them, so
    that planning knows them again. None: only reading them can tell."""
    version: int = 1
    """Raised when the samples that it returns change."""
