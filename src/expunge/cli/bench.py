"""`expunge bench`: run a whole experiment and report it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.options import (
    AsJson,
    Compiled,
    Device,
    Devices,
    DryRun,
    Engine,
    KeepGoing,
    Picture,
    Seeds,
    Shard,
    Slurm,
    Strategy,
    StudyStore,
    Track,
    Workers,
    first,
    session,
    show_json,
    study_folder,
)
from expunge.cli.output import say, tell
from expunge.cli.plans import show_graph

if TYPE_CHECKING:
    from expunge.cli.session import Session
    from expunge.graph.graph import Graph
    from expunge.studies.grid import Cell
    from expunge.studies.recipe import Experiment


def bench(
    recipe: Annotated[Path, typer.Argument(help="A TOML file that describes an experiment.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for the results and the report; default: the recipe's name."
        ),
    ] = None,
    store: StudyStore = None,
    seeds: Seeds = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Read the recipe's data from this place instead.")
    ] = None,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    keep_going: KeepGoing = False,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    dry_run: DryRun = False,
    picture: Picture = None,
    track: Track = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe's experiment, except what is already in the store, and report it."""
    from expunge.studies.recipe import read_experiment, with_overrides

    experiment = with_overrides(read_experiment(recipe), seeds=first(seeds), source=data)
    words = f" --seeds {seeds}" if seeds is not None else ""
    folder, root = study_folder(recipe, out, store)
    space = session(
        root,
        device,
        devices,
        strategy,
        compiled,
        engine,
        workers,
        keep_going,
        shard,
        slurm,
        track=track,
    )
    graph, parts = space.graph(), {folder: experiment}
    cells = plan_parts(space, graph, parts)
    if dry_run:
        show_graph(graph, picture, as_json)
    else:
        run_parts(space, graph, parts, cells, f"expunge bench {recipe}{words}", as_json)


def plan_parts(
    space: "Session", graph: "Graph", parts: Mapping[Path, "Experiment"]
) -> dict[Path, list["Cell"]]:
    """Plan experiments, by the folder of their results, in one graph."""
    from expunge.studies.grid import plan_grid

    return {
        folder: plan_grid(graph, experiment, together=space.together)
        for folder, experiment in parts.items()
    }


def run_parts(
    space: "Session",
    graph: "Graph",
    parts: Mapping[Path, "Experiment"],
    cells: Mapping[Path, list["Cell"]],
    reproduce: str,
    as_json: bool,
) -> None:
    """Run planned experiments, and write one report of all into the folder of the first.

    Raises:
        typer.Exit: with 1, if a model is not there; what is there was written before.
    """
    from expunge.studies.folder import RESULTS, claim, collect_grid, keep, leave_original

    if space.leads:
        for folder, experiment in parts.items():
            claim(folder, experiment)
    space.run(graph)
    if not space.leads:
        return
    from expunge.report.joined import joined

    documents = []
    for folder, experiment in parts.items():
        results = collect_grid(space.store, experiment, cells[folder], reproduce)
        documents.append(keep(folder / RESULTS, results, "cells"))
        leave_original(space.store.path(cells[folder][0].model_id), folder)
    document = joined(documents)
    space.tracking.cells(document["cells"])
    path = next(iter(parts)) / "report.html"
    # A report newer than its results is up to date, and drawing it again takes seconds.
    newest = max((folder / RESULTS).stat().st_mtime for folder in parts)
    if not path.exists() or path.stat().st_mtime < newest:
        from expunge.report import write_report

        write_report(document, path.parent)
    if as_json:
        show_json(document)
    else:
        from expunge.cli.tables import print_tables
        from expunge.report import to_text

        print_tables(to_text(document))
        say(f"\nReport: {path}")
    _tell_failed(document["cells"])


def _tell_failed(cells: list[dict[str, Any]]) -> None:
    """Print on standard error which models are damaged or not there; exit with 1 for the latter."""
    for cell in cells:
        for note in cell.get("notes") or []:
            tell(f"note: {_place(cell)}: {note}")
    failed = [cell for cell in cells if cell.get("failed")]
    for cell in failed:
        tell(f"failed: {_place(cell)}: {cell['failed']}")
    if failed:
        tell(f"{len(failed)} of {len(cells)} cells hold no numbers")
        raise typer.Exit(1)


def _place(cell: dict[str, Any]) -> str:
    level = "dense" if cell["pruner"] == "none" else f"{cell['sparsity']:.0%} {cell['pruner']}"
    return f"{cell['method']} in {cell['scenario']}, {level}, seed {cell['seed']}"
