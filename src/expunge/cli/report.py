"""`expunge report`: write the report of existing results."""

from pathlib import Path
from typing import Annotated

import typer

from expunge.cli.options import AsJson, show_json
from expunge.cli.output import say
from expunge.cli.tables import print_tables
from expunge.cli.targets import check_folder


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="A results.json, or the folder that holds it; several make one report."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for report.html and figures; default: the first’s folder."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write report.html and its figures from measured results."""
    from expunge.report import load_results, to_text, write_report
    from expunge.report.aggregate import aggregate
    from expunge.report.joined import joined
    from expunge.report.paired import paired_of, paired_tables

    if out is not None:
        check_folder(out)
    paths = [path / "results.json" if path.is_dir() else path for path in results]
    documents = [load_results(path) for path in paths]
    document = documents[0] if len(documents) == 1 else joined(documents)
    written = write_report(document, out if out is not None else paths[0].parent)
    if as_json:
        paired = [
            pair.to_json(scenario.name)
            for scenario in aggregate(document)
            for pair in paired_of(scenario)
        ]
        show_json({"report": str(written), "cells": len(document["cells"]), "paired": paired})
    else:
        print_tables([*to_text(document), *paired_tables(aggregate(document))])
        say(f"\nReport: {written}")
