"""`expunge report`: write the report of existing results, export them, or compare two."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from expunge.cli.options import AsJson, show_json
from expunge.cli.output import say
from expunge.cli.tables import print_tables
from expunge.cli.targets import check_file, check_folder
from expunge.errors import ConfigError


def report(
    results: Annotated[
        list[Path],
        typer.Argument(help="A results.json, or the folder that holds it; two are compared."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for report.html and figures; default: the first’s folder."
        ),
    ] = None,
    join: Annotated[
        bool,
        typer.Option("--join", help="One report of several results, with different scenarios."),
    ] = False,
    export: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            "--export",
            help="Instead of a report, write csv, markdown or latex into this file or folder.",
            metavar="FORMAT PLACE",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write report.html and its figures from measured results; or compare two results."""
    from expunge.report import load_results
    from expunge.report.joined import joined

    compares = len(results) > 1 and not join
    if compares:
        _check_compares(results, out, export)
    if out is not None:
        if export is not None:
            raise ConfigError("--export names its own place: leave --out away")
        check_folder(out)
    paths = [path / "results.json" if path.is_dir() else path for path in results]
    target = None if export is None else _target(*export, paths)
    documents = [load_results(path) for path in paths]
    if compares:
        _compare(documents, paths, as_json)
        return
    document = documents[0] if len(documents) == 1 else joined(documents)
    if export is not None and target is not None:
        _export(document, export[0], target, as_json)
    else:
        _write(document, out if out is not None else paths[0].parent, as_json)


def _check_compares(results: list[Path], out: Path | None, export: object) -> None:
    if len(results) > 2:
        raise ConfigError(
            f"expected one result, or two to compare, got {len(results)}: with --join, several "
            "make one report"
        )
    if out is not None or export is not None:
        option = "--out" if out is not None else "--export"
        raise ConfigError(
            f"{option} is for one report, and two results are compared: with --join, they make one"
        )


def _target(name: str, place: Path, inputs: list[Path]) -> Path:
    """Where an export goes.

    Raises:
        ConfigError: the format is unknown, or the export would replace what it is made from.
        StoreError: the place cannot be written to.
    """
    from expunge.report.exports import export_path, get_export

    export = get_export(name)
    target = export_path(export, place)
    if target.resolve() in [path.resolve() for path in inputs]:
        raise ConfigError(
            f"--export {name} {place} would replace the results: choose another place"
        )
    if target == place:
        check_file(target, "--export", export.begins)
    else:
        check_folder(place, "--export")
        if target.exists():
            check_file(target, "--export", export.begins)
    return target


def _write(document: Mapping[str, Any], folder: Path, as_json: bool) -> None:
    from expunge.report import to_text, write_report
    from expunge.report.aggregate import aggregate
    from expunge.report.beside import beside
    from expunge.report.beside_tables import to_json
    from expunge.report.paired import paired_of, paired_tables

    scenarios = aggregate(document)
    written = write_report(document, folder)
    if as_json:
        paired = [
            pair.to_json(scenario.name) for scenario in scenarios for pair in paired_of(scenario)
        ]
        show_json(
            {
                "report": str(written),
                "cells": len(document["cells"]),
                "paired": paired,
                "published": [to_json(each) for each in beside(scenarios, document).values()],
            }
        )
    else:
        print_tables([*to_text(document), *paired_tables(scenarios)])
        say(f"\nReport: {written}")


def _export(document: Mapping[str, Any], name: str, target: Path, as_json: bool) -> None:
    from expunge.report.exports import get_export
    from expunge.report.files import write_atomically

    export = get_export(name)
    write_atomically(target, export.text(document))
    if as_json:
        show_json({"export": str(target), "format": name, "cells": len(document["cells"])})
    else:
        say(f"{target}: {export.holds}")


def _compare(documents: list[dict[str, Any]], paths: list[Path], as_json: bool) -> None:
    from expunge.report.contrast import contrast
    from expunge.report.contrast_text import contrast_json, difference_tables, setting_lines

    found = contrast(*documents)
    if as_json:
        show_json({"first": str(paths[0]), "second": str(paths[1]), **contrast_json(found)})
        return
    for letter, path, title in zip("AB", paths, found.titles, strict=True):
        say(f"{letter}: {path} ({title})")
    for line in setting_lines(found):
        say(line)
    say("")
    print_tables(difference_tables(found))
