"""Print the report's tables on the terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from expunge.cli.output import console, show_table

if TYPE_CHECKING:
    from expunge.report import TextTable


def print_tables(tables: Iterable["TextTable"]) -> None:
    """Print tables one below the other, each with its notes."""
    from rich import box
    from rich.table import Table

    for text in tables:
        table = Table(
            title=text.title,
            title_justify="left",
            title_style="bold",
            header_style="",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for index, name in enumerate(text.header):
            table.add_column(name, justify="left" if index == 0 else "right")
        for row in text.rows:
            table.add_row(*row)
        show_table(table)
        for note in text.notes:
            console().print(note)
