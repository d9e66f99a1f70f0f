"""`expunge bench`: run a whole experiment and report it."""

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
    Shard,
    Slurm,
    Strategy,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say, tell
from expunge.cli.plans import show_graph
from expunge.cli.targets import check_folder

if TYPE_CHECKING:
    from expunge.cli.session import Session
    from expunge.studies.recipe import Experiment

Seeds = Annotated[
    int | None, typer.Option("--seeds", help="Run seeds 0 to N-1.", min=1, metavar="N")
]


def bench(
    recipe: Annotated[Path, typer.Argument(help="A TOML file that describes an experiment.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for the results and the report; default: the recipe's name."
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Folder of finished runs; default: runs inside --out."),
    ] = None,
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
    as_json: AsJson = False,
) -> None:
    """Run a recipe's experiment, except what is already in the store, and report it."""
    from expunge.studies.recipe import read_experiment, with_overrides

    experiment = with_overrides(read_experiment(recipe), seeds=first(seeds), source=data)
    words = f" --seeds {seeds}" if seeds is not None else ""
    out = out if out is not None else Path(recipe.stem)
    check_folder(out)
    root = store if store is not None else out / "runs"
    space = session(
        root, device, devices, strategy, compiled, engine, workers, keep_going, shard, slurm
    )
    if dry_run:
        _show_plan(space, experiment, picture, as_json)
    else:
        _run(space, experiment, out, f"expunge bench {recipe}{words}", as_json)


def first(seeds: int | None) -> tuple[int, ...] | None:
    """The seeds from 0 that an option asks for; None leaves those of the recipe."""
    return None if seeds is None else tuple(range(seeds))


def _run(
    space: "Session", experiment: "Experiment", out: Path, reproduce: str, as_json: bool
) -> None:
    from expunge.studies.folder import RESULTS, claim, collect_grid, keep, leave_original
    from expunge.studies.grid import plan_grid

    graph = space.graph()
    cells = plan_grid(graph, experiment, together=space.together)
    if space.leads:
        claim(out, experiment)
    space.run(graph)
    if not space.leads:
        return
    results = collect_grid(space.store, experiment, cells, reproduce)
    results = keep(out / RESULTS, results, "cells")
    leave_original(space.store.path(cells[0].model_id), out)
    path = out / "report.html"
    # A report newer than its results is up to date, and drawing it again takes seconds.
    if not path.exists() or path.stat().st_mtime < (out / RESULTS).stat().st_mtime:
        from expunge.report import write_report

        write_report(results, out)
    if as_json:
        show_json(results)
    else:
        from expunge.cli.tables import print_tables
        from expunge.report import to_text

        print_tables(to_text(results))
        say(f"\nReport: {path}")
    tell_failed(results["cells"])


def tell_failed(cells: list[dict[str, Any]]) -> None:
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


def _show_plan(
    space: "Session", experiment: "Experiment", picture: Path | None, as_json: bool
) -> None:
    from expunge.studies.grid import plan_grid

    graph = space.graph()
    plan_grid(graph, experiment, together=space.together)
    show_graph(graph, picture, as_json)
