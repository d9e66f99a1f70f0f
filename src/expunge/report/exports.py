"""Results in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expunge.errors import ConfigError, unknown
from expunge.report.latex import PREAMBLE, to_latex
from expunge.report.text import to_markdown
from expunge.report.tidy import LEFT_OUT, TidyRow, to_csv

_MARK = "<!-- Tables by expunge report. -->\n\n"


@dataclass(frozen=True)
class Export:
    """One format."""

    text: Callable[[Mapping[str, Any]], str]
    """From a results document to the file's text."""
    ending: str
    begins: str
    """What every file of this format begins with: another file is not replaced."""
    holds: str
    """What is in it, and what is left out."""


def _markdown(results: Mapping[str, Any]) -> str:
    return _MARK + to_markdown(results)


EXPORTS = {
    "csv": Export(
        text=to_csv,
        ending=".csv",
        begins=",".join(TidyRow._fields),
        holds=f"a row a cell and measure; left out: {', '.join(LEFT_OUT)}",
    ),
    "markdown": Export(
        text=_markdown, ending=".md", begins=_MARK, holds="the main tables, and those beside them"
    ),
    "latex": Export(
        text=to_latex, ending=".tex", begins=PREAMBLE, holds="the tables of Markdown, for booktabs"
    ),
}


def get_export(name: str) -> Export:
    """The format of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in EXPORTS:
        raise ConfigError(unknown("export", name, EXPORTS))
    return EXPORTS[name]


def export_path(export: Export, place: Path) -> Path:
    """The file to write: `place` itself if it has an ending and is no folder, or one in it."""
    if place.suffix and not place.is_dir():
        return place
    return place / f"results{export.ending}"
