"""Everything that commands print goes through here: text is shown as it is.

Names of files, classes and runs may hold anything: brackets are not markup, `:smile:` is not a
picture, and control characters are shown as escapes, so that they do not act on the terminal.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_READABLE = 72
"""Columns that tables take on narrower terminals, too, if they need them."""
_WIDEST = 10_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(text: str) -> None:
    """Print a line on standard output."""
    typer.echo(visible(text))


def tell(text: str) -> None:
    """Print a line on standard error, for people."""
    typer.echo(visible(text), err=True)


def write(text: str) -> None:
    """Write data on standard output, exactly."""
    typer.echo(text, nl=False)


def visible(text: str) -> str:
    r"""The text with control characters, except tabs and line ends, as escapes.

    >>> visible("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def console(*, stderr: bool = False) -> Console:
    """A console for tables and progress, on standard output or standard error."""
    from rich.console import Console
    from rich.text import Text

    class PlainConsole(Console):
        """A console that shows texts as they are."""

        def render_str(self, text: str, **settings: Any) -> Text:
            """A text as rich draws it."""
            return super().render_str(visible(text), **settings)

    return PlainConsole(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_table(table: Table, *, stderr: bool = False) -> None:
    """Print a table as wide as the terminal; on a narrow one wider, so that no word is cut.

    A library that fits tables into a width cuts words of one column to keep another on one line.
    """
    from rich.measure import Measurement

    shown_on = console(stderr=stderr)
    unlimited = shown_on.options.update(max_width=_WIDEST)

    def measured(shown: RenderableType) -> Measurement:
        return Measurement.get(shown_on, unlimited, shown)

    columns = [[measured(cell) for cell in (each.header, *each.cells)] for each in table.columns]
    natural = [max(cell.maximum for cell in each) for each in columns]
    words = [max(cell.minimum for cell in each) for each in columns]
    least = [
        whole if column.no_wrap else word
        for column, whole, word in zip(table.columns, natural, words, strict=True)
    ]
    frame = measured(table).maximum - sum(natural)
    room = max(shown_on.width, min(frame + sum(natural), _READABLE)) - frame
    for column, width in zip(table.columns, shared(room, least, natural), strict=True):
        column.width = width
    shown_on.width = max(shown_on.width, frame + sum(each.width or 0 for each in table.columns))
    shown_on.print(table)


def shared(room: int, least: list[int], natural: list[int]) -> list[int]:
    """Widths of columns: what each needs at least, then room for those that lack the most.

    >>> shared(20, [5, 5, 2], [10, 6, 2]), shared(10, [5, 5, 2], [10, 6, 2])
    ([10, 6, 2], [5, 5, 2])
    >>> shared(15, [5, 5, 2], [10, 6, 2])
    [8, 5, 2]
    """
    widths = [*least]
    for _ in range(room - sum(least)):
        lacking = [whole - width for whole, width in zip(natural, widths, strict=True)]
        if max(lacking, default=0) <= 0:
            break
        widths[lacking.index(max(lacking))] += 1
    return widths


def keep_printing() -> None:
    """Show characters that an output's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
