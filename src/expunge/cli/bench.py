"""`expunge bench`: run a whole experiment and report it."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
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
    Only,
    Picture,
    Scale,
    Seeds,
    Shard,
    Slurm,
    Strategy,
    StudyStore,
    Track,
    Workers,
    asked,
    first,
    session,
    show_json,
    study_folder,
)
from expunge.cli.output import say, tell
from expunge.cli.plans import show_graph
from expunge.cli.targets import check_study
from expunge.cli.trials import trial_said
from expunge.studies.scales import PAPER

if TYPE_CHECKING:
    from expunge.cli.session import Session
    from expunge.graph.graph import Graph
    from expunge.studies.grid import Cell
    from expunge.studies.recipe import Experiment
    from expunge.studies.searching import Place, Sought

NO_SEARCHES: Mapping[Path, Mapping["Place", Mapping[str, Any]]] = MappingProxyType({})


def bench(
    recipe: Annotated[
        Path | None,
        typer.Argument(
            help="A TOML file that describes an experiment, or the name of a shipped one."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for the results and the report; default: the recipe's name and scale.",
        ),
    ] = None,
    store: StudyStore = None,
    scale: Scale = PAPER,
    only: Only = None,
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
    listed: Annotated[
        bool, typer.Option("--list", help="List the shipped recipes, and run nothing.")
    ] = False,
    explained: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Show how the recipe differs from what is published, and what each difference "
            "costs; run nothing.",
        ),
    ] = False,
    track: Track = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe's experiment, except what is already in the store, and report it."""
    from expunge.errors import ConfigError
    from expunge.studies.recipe import read_experiment, with_overrides
    from expunge.studies.shipped import find_recipe

    if listed:
        from expunge.cli.recipe_list import show_recipes

        show_recipes(as_json)
        return
    if recipe is None:
        raise ConfigError("expected a recipe; for those that are shipped: expunge bench --list")
    file = find_recipe(recipe)
    experiment = read_experiment(file, scale, only)
    experiment = with_overrides(experiment, seeds=first(seeds), source=data)
    words = asked(scale, only, seeds)
    folder, root = study_folder(recipe, out, store, scale)
    if explained:
        from expunge.cli.explain import explain

        explain(file, experiment, folder, words, as_json)
        return
    parts = {folder: experiment}
    check_folders(parts, dry_run)
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
        shard_waits=any(map(experiment.search, experiment.methods)),
        track=track,
    )
    graph = space.graph()
    cells = plan_parts(space, graph, parts)
    if dry_run:
        show_graph(graph, picture, as_json, experiment.recipe, _search_outlook(space, experiment))
        return
    claim_folders(space, parts)
    found = search_parts(space, parts)
    if any(found.values()):
        graph = space.graph()
        cells = plan_parts(space, graph, parts, found)
    run_parts(space, graph, parts, cells, f"expunge bench {recipe}{words}", as_json, found)


def check_folders(parts: Mapping[Path, "Experiment"], dry_run: bool) -> None:
    """Refuse folders that hold other experiments; of a dry run only say so.

    Raises:
        StoreError: one does; the message names the first setting that differs.
    """
    from expunge.studies.folder import plain

    for folder, experiment in parts.items():
        check_study(folder, plain(experiment), dry_run)


def claim_folders(space: "Session", parts: Mapping[Path, "Experiment"]) -> None:
    """Reserve each experiment's folder, when it is planned, and before any work.

    Raises:
        StoreError: a folder holds another experiment.
    """
    from expunge.studies.folder import claim

    if space.leads:
        for folder, experiment in parts.items():
            claim(folder, experiment)


def search_parts(
    space: "Session", parts: Mapping[Path, "Experiment"]
) -> dict[Path, dict["Place", dict[str, Any]]]:
    """Run the searches of experiments, by the folder of their results."""
    from expunge.studies.searching import described, plan_searches, run_searches
    from expunge.studies.tuning.objectives import Bench

    def say_of(sought: "Sought", record: Mapping[str, Any]) -> None:
        if space.leads:
            trial = f"{record['trial'] + 1}/{sought.tuning.trials}"
            tell(f"{described(sought)}: trial {trial}  {trial_said(record)}")

    found = {}
    for folder, experiment in parts.items():
        graph = space.graph()
        sought = plan_searches(graph, experiment, space.together)
        bench = Bench(space.store, space.run)
        found[folder] = run_searches(bench, graph, sought, say_of)
    return found


def _search_outlook(space: "Session", experiment: "Experiment") -> dict[str, Any]:
    """What searches may add to a plan, which shows the settings before them; empty without any."""
    from expunge.studies.searching import at_most, plan_searches

    graph = space.graph()
    sought = plan_searches(graph, experiment, space.together)
    if not sought:
        return {}
    return {
        "searches": len(sought),
        "trials": sum(each.tuning.trials for each in sought),
        "nodes_at_most": at_most(graph, sought),
    }


def plan_parts(
    space: "Session",
    graph: "Graph",
    parts: Mapping[Path, "Experiment"],
    found: Mapping[Path, Mapping["Place", Mapping[str, Any]]] = NO_SEARCHES,
) -> dict[Path, list["Cell"]]:
    """Plan experiments, by the folder of their results, in one graph, with what searches found."""
    from expunge.studies.grid import plan_grid

    return {
        folder: plan_grid(graph, experiment, together=space.together, found=found.get(folder, {}))
        for folder, experiment in parts.items()
    }


def run_parts(
    space: "Session",
    graph: "Graph",
    parts: Mapping[Path, "Experiment"],
    cells: Mapping[Path, list["Cell"]],
    reproduce: str,
    as_json: bool,
    found: Mapping[Path, Mapping["Place", Mapping[str, Any]]] = NO_SEARCHES,
) -> None:
    """Run planned experiments, and write one report of all into the folder of the first.

    Raises:
        typer.Exit: with 1, if a model is not there; what is there was written before.
    """
    from expunge.studies.folder import RESULTS, collect_grid, keep, leave_original

    space.run(graph)
    if not space.leads:
        return
    from expunge.report.joined import joined

    documents = []
    for folder, experiment in parts.items():
        searches = [*found.get(folder, {}).values()]
        results = collect_grid(space.store, experiment, cells[folder], reproduce, searches)
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
        from expunge.report.aggregate import aggregate
        from expunge.report.paired import paired_tables

        print_tables([*to_text(document), *paired_tables(aggregate(document))])
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
