"""`expunge demo`: run the two experiments that come with the package, and report both."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.bench import Seeds, first, tell_failed
from expunge.cli.options import (
    AsJson,
    Device,
    DryRun,
    Engine,
    Picture,
    Shard,
    Slurm,
    session,
    show_json,
)
from expunge.cli.output import say
from expunge.cli.plans import show_graph
from expunge.cli.targets import check_folder

if TYPE_CHECKING:
    from expunge.studies.recipe import Experiment

RECIPES = {"": "demo.toml", "trojan": "demo-trojan.toml"}
"""By folder of its results, inside the demo's: a recipe of the package."""


def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the results and the report.", metavar="DIR")
    ] = Path("demo"),
    seeds: Seeds = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            help="How many processes make nodes in parallel; default: one per core, at most 4.",
            min=1,
            metavar="N",
        ),
    ] = None,
    engine: Engine = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Train, prune, forget a class, a random tenth, wrong labels and a Trojan, and report."""
    from expunge.runs import available_cores
    from expunge.studies.folder import RESULTS, claim, collect_grid, keep, leave_original
    from expunge.studies.grid import plan_grid

    parts = {out / folder: _experiment(name, seeds) for folder, name in RECIPES.items()}
    if engine is None and shard is None:
        workers = workers or min(4, available_cores())
    check_folder(out)
    space = session(out / "runs", device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    cells = {
        folder: plan_grid(graph, experiment, together=space.together)
        for folder, experiment in parts.items()
    }
    if dry_run:
        show_graph(graph, picture, as_json)
        return
    if space.leads:
        for folder, experiment in parts.items():
            claim(folder, experiment)
    space.run(graph)
    if not space.leads:
        return
    reproduce = "expunge demo --out demo" + ("" if seeds is None else f" --seeds {seeds}")
    documents = []
    for folder, experiment in parts.items():
        results = collect_grid(space.store, experiment, cells[folder], reproduce)
        documents.append(keep(folder / RESULTS, results, "cells"))
        leave_original(space.store.path(cells[folder][0].model_id), folder)
    _report(documents, out, [folder / RESULTS for folder in parts], as_json)
    tell_failed([cell for document in documents for cell in document["cells"]])


def _experiment(name: str, seeds: int | None) -> "Experiment":
    from importlib.resources import files

    from expunge.studies.recipe import parse_experiment, with_overrides

    text = (files("expunge.studies") / name).read_text(encoding="utf-8")
    return with_overrides(parse_experiment(text, name), seeds=first(seeds))


def _report(documents: list[dict[str, Any]], out: Path, results: list[Path], as_json: bool) -> None:
    """Write one report of all parts, and print their tables."""
    from expunge.report.joined import joined

    document = joined(documents)
    path = out / "report.html"
    # A report newer than its results is up to date, and drawing it again takes seconds.
    newest = max(each.stat().st_mtime for each in results)
    if not path.exists() or path.stat().st_mtime < newest:
        from expunge.report import write_report

        write_report(document, out)
    if as_json:
        show_json(document)
        return
    from expunge.cli.tables import print_tables
    from expunge.report import to_text

    print_tables(to_text(document))
    say(f"\nReport: {path}")
