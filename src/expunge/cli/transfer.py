"""`expunge transfer`: forget the source classes that harm a target task, and measure the gain."""

from pathlib import Path
from typing import Annotated

import typer

from expunge.cli.options import (
    AsJson,
    Device,
    DryRun,
    Engine,
    Picture,
    Shard,
    Slurm,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say, tell
from expunge.cli.plans import show_graph
from expunge.cli.tables import print_tables


def transfer(
    recipe: Annotated[Path, typer.Argument(help="A TOML file that describes a transfer study.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder for transfer.json and figures; default: the recipe's name."
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Folder of finished runs; default: runs inside --out."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", help="Run seeds 0 to N-1.", min=1, metavar="N")
    ] = None,
    subsets: Annotated[
        int | None,
        typer.Option("--subsets", help="How many subset models to rank classes by.", min=4),
    ] = None,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Rank source classes by influence, forget the most harmful, and measure the target accuracy.

    Which classes to forget is known only when the subset models are there, so a dry run shows the
    nodes up to them, and as many removals as there will be.
    """
    from dataclasses import replace

    from expunge.cli.targets import check_folder
    from expunge.report.transfer import transfer_tables, write_transfer_figures
    from expunge.studies.folder import claim_settings, keep
    from expunge.studies.recipe import with_overrides
    from expunge.studies.transfer.influence import collect_influence
    from expunge.studies.transfer.study import (
        TRANSFER,
        collect_transfer,
        plan_removals,
        plan_transfer,
        read_transfer,
    )

    study = read_transfer(recipe)
    chosen = None if seeds is None else tuple(range(seeds))
    study = replace(study, experiment=with_overrides(study.experiment, seeds=chosen))
    words = "" if seeds is None else f" --seeds {seeds}"
    if subsets is not None:
        study = replace(study, influence=replace(study.influence, subsets=subsets))
        words += f" --subsets {subsets}"
    folder = out if out is not None else Path(recipe.stem)
    check_folder(folder)
    root = store if store is not None else folder / "runs"
    space = session(root, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    plan = plan_transfer(graph, study)
    if dry_run:
        # Any ranking has as many removals, and takes as long.
        plan_removals(graph, plan, list(range(len(plan.source.class_names))))
        show_graph(graph, picture, as_json)
        return
    claim_settings(folder, study.settings())
    space.run(graph)
    ranking = collect_influence(space.store, plan.influence)["ranking"]
    graph = space.graph()
    removals = plan_removals(graph, plan, ranking)
    space.run(graph)
    results = collect_transfer(space.store, plan, removals, f"expunge transfer {recipe}{words}")
    results = keep(folder / TRANSFER, results, "removals")
    figures = write_transfer_figures(results, folder)
    failed = [row for row in results["removals"] if row["failed"] is not None]
    for row in failed:
        tell(f"note: {row['run']}: {row['failed']}")
    if as_json:
        show_json(results)
        return
    print_tables(transfer_tables(results))
    for path in figures:
        say(f"Figure: {path}")
