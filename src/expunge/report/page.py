"""A page of tables and figures for what is no grid: one file, without scripts or network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from expunge.report.drawing import Drawing
from expunge.report.files import write_atomically
from expunge.report.text import TextTable

BEGINS = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="generator" content="expunge">'
)
"""How every page begins: another file is not replaced."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page: words, then figures, then tables."""

    heading: str
    words: Sequence[str] = ()
    """Paragraphs."""
    drawings: Sequence[Drawing] = ()
    tables: Sequence[TextTable] = field(default=())


def write_page(
    path: Path,
    title: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[Section],
    reproduce: str,
) -> None:
    """Write a page; `facts` are names and values under its title.

    Raises:
        StoreError: it cannot be written.
    """

    def text(name: str) -> str:
        return resources.files("expunge.report").joinpath(name).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # The figures' text was escaped when they were made into XML.
    environment.filters["drawn"] = Markup
    page = environment.from_string(text("page.html")).render(
        title=title,
        style=Markup(text("style.css")),
        facts=facts,
        sections=sections,
        reproduce=reproduce,
    )
    write_atomically(path, page)
