"""Tables of papers that a recipe may name: one file each, beside this module."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from expunge.errors import ConfigError, unknown
from expunge.published.cell import Published, published_from

CELLS = "cells"


def table_names() -> tuple[str, ...]:
    """The tables that there are."""
    files = resources.files("expunge.published").iterdir()
    names = (file.name.partition(".") for file in files)
    return tuple(sorted(stem for stem, _, suffix in names if suffix == "toml"))


@cache
def read_table(name: str) -> tuple[Published, ...]:
    """The cells of a table; what stands above them in its file holds for all.

    Raises:
        ConfigError: there is no such table.
    """
    if name not in table_names():
        raise ConfigError(unknown("published table", name, table_names()))
    file = resources.files("expunge.published").joinpath(f"{name}.toml")
    document: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    cells = document.pop(CELLS)
    return tuple(
        published_from({**document, **cell}, f"{name}: cell {index}")
        for index, cell in enumerate(cells, start=1)
    )
