"""Tables, figures and the HTML report; reads results only and imports no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

from expunge.report.results import check_results, load_results
from expunge.report.summary import Findings, findings
from expunge.report.text import TextTable, to_markdown, to_text

if TYPE_CHECKING:
    from expunge.report.figures import write_figures
    from expunge.report.html import render_html, write_report

# Fetched when first used: tables do not wait for the library that draws.
_DRAWING = {
    "render_html": "expunge.report.html",
    "write_figures": "expunge.report.figures",
    "write_report": "expunge.report.html",
}

__all__ = [
    "Findings",
    "TextTable",
    "check_results",
    "findings",
    "load_results",
    "render_html",
    "to_markdown",
    "to_text",
    "write_figures",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name not in _DRAWING:
        raise AttributeError(f"module 'expunge.report' has no attribute {name!r}")
    return getattr(import_module(_DRAWING[name]), name)
