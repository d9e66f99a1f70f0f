"""`expunge demo`: run the two experiments that come with the package, and report both."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expunge.cli.bench import check_folders, claim_folders, plan_parts, run_parts
from expunge.cli.options import (
    AsJson,
    Device,
    DryRun,
    Engine,
    Picture,
    Seeds,
    Shard,
    Slurm,
    first,
    session,
)
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

    parts = {out / folder: _experiment(name, seeds) for folder, name in RECIPES.items()}
    if engine is None and shard is None:
        workers = workers or min(4, available_cores())
    check_folder(out)
    check_folders(parts, dry_run)
    space = session(out / "runs", device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    cells = plan_parts(space, graph, parts)
    if dry_run:
        show_graph(graph, picture, as_json)
        return
    words = "" if seeds is None else f" --seeds {seeds}"
    claim_folders(space, parts)
    run_parts(space, graph, parts, cells, f"expunge demo --out demo{words}", as_json)


def _experiment(name: str, seeds: int | None) -> "Experiment":
    from importlib.resources import files

    from expunge.studies.recipe import parse_experiment, with_overrides

    text = (files("expunge.studies") / name).read_text(encoding="utf-8")
    return with_overrides(parse_experiment(text, name), seeds=first(seeds))
