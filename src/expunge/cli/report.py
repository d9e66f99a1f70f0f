"""`expunge report`: the report of results that are there."""

from pathlib import Path
from typing import Annotated, Any

import typer

from expunge.cli.options import AsJson, show_json


def report(
    results: Annotated[Path, typer.Argument(help="A results.json, or the folder it lies in.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for report.html and figures; default: beside it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write report.html and its figures from measured results."""
    from expunge.report import load_results, write_report

    path = results / "results.json" if results.is_dir() else results
    document = load_results(path)
    written = write_report(document, out if out is not None else path.parent)
    if as_json:
        show_json({"report": str(written), "cells": len(document["cells"])})
    else:
        print_table(document)
        typer.echo(f"\nReport: {written}")


def print_table(results: dict[str, Any]) -> None:
    """The main tables on the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from expunge.report import to_text

    console = Console()
    for text in to_text(results):
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
        console.print(table)
        for note in text.notes:
            console.print(note)
