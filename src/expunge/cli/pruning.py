"""`expunge pruning`: compare pruners by cost, accuracy and dependence on the forgotten data."""

from pathlib import Path
from typing import Annotated

import typer

from expunge.cli.options import (
    AsJson,
    Device,
    DryRun,
    Engine,
    Picture,
    Recipe,
    Scale,
    Seeds,
    Shard,
    Slurm,
    StudyStore,
    Workers,
    asked,
    first,
    session,
    show_json,
    study_folder,
)
from expunge.cli.output import say
from expunge.cli.plans import show_graph
from expunge.cli.tables import print_tables
from expunge.cli.targets import check_study
from expunge.studies.scales import PAPER


def pruning(
    recipe: Recipe,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for pruning.json and the page; default: the recipe's name and scale.",
        ),
    ] = None,
    store: StudyStore = None,
    scale: Scale = PAPER,
    seeds: Seeds = None,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Compare a recipe's pruners: cost, accuracy, and dependence on the forgotten data."""
    from expunge.report.pruning import load_pruning, pruning_tables, write_pruning
    from expunge.studies.folder import claim_settings, keep
    from expunge.studies.pruning import PRUNING, collect_pruning, plan_pruning, settings_of
    from expunge.studies.pruning_recipe import read_pruning
    from expunge.studies.recipe import with_overrides
    from expunge.studies.shipped import find_recipe

    experiment, settings = read_pruning(find_recipe(recipe), scale)
    experiment = with_overrides(experiment, seeds=first(seeds))
    folder, root = study_folder(recipe, out, store, scale)
    check_study(folder, settings_of(experiment, settings), dry_run)
    space = session(root, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    sparse = plan_pruning(graph, experiment, settings)
    if dry_run:
        show_graph(graph, picture, as_json, experiment.recipe)
        return
    claim_settings(folder, settings_of(experiment, settings))
    space.run(graph)
    reproduce = f"expunge pruning {recipe}{asked(scale, None, seeds)}"
    results = collect_pruning(space.store, experiment, settings, sparse, reproduce)
    results = keep(folder / PRUNING, results, "pruned")
    document = load_pruning(folder / PRUNING)
    page, *others = write_pruning(document, folder)
    if as_json:
        show_json({**results, "page": str(page)})
        return
    print_tables(pruning_tables(document))
    say(f"Page: {page}")
    for path in others:
        say(f"Written: {path}")
