"""`expunge attribution`: the study of data influence and model influence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from expunge.cli.session import Session


def attribution(
    recipe: Recipe,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for attribution.json and the page; default: the recipe's name and scale.",
        ),
    ] = None,
    store: StudyStore = None,
    scale: Scale = PAPER,
    seeds: Seeds = None,
    subsets: Annotated[
        int | None,
        typer.Option("--subsets", help="Train N subset models for each share.", metavar="N"),
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
    """Score attributors against models retrained on subsets, and find the weights of a group."""
    from dataclasses import replace

    from expunge.attribution import check_installed, get_attributor
    from expunge.report.attribution import attribution_tables, load_attribution
    from expunge.report.attribution_page import write_attribution
    from expunge.studies.attribution import plan_attribution
    from expunge.studies.attribution_document import (
        ATTRIBUTION,
        collect_attribution,
        settings_of,
    )
    from expunge.studies.attribution_recipe import read_attribution
    from expunge.studies.folder import claim_settings, keep
    from expunge.studies.recipe import with_overrides
    from expunge.studies.shipped import find_recipe

    experiment, settings = read_attribution(find_recipe(recipe), scale)
    experiment = with_overrides(experiment, seeds=first(seeds))
    settings = settings if subsets is None else replace(settings, subsets=subsets)
    for label in settings.attributors:
        check_installed(get_attributor(settings.attributor(label)))
    words = asked(scale, None, seeds)
    words += "" if subsets is None else f" --subsets {subsets}"
    folder, root = study_folder(recipe, out, store, scale)
    check_study(folder, settings_of(experiment, settings), dry_run)
    space = session(root, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    planned = plan_attribution(graph, experiment, settings)
    if dry_run:
        show_graph(graph, picture, as_json, experiment.recipe)
        return
    claim_settings(folder, settings_of(experiment, settings))
    space.run(graph)
    reproduce = f"expunge attribution {recipe}{words}"
    results = collect_attribution(space.store, experiment, settings, planned, reproduce)
    results = keep(folder / ATTRIBUTION, results, "scores")
    document = load_attribution(folder / ATTRIBUTION)
    page, *figures = write_attribution(document, folder, _memorised(space, document))
    if as_json:
        show_json({**results, "page": str(page)})
        return
    print_tables(attribution_tables(document))
    say(f"Page: {page}")
    for path in figures:
        say(f"Figure: {path}")


def _memorised(space: "Session", document: dict[str, Any]) -> dict[str, Any]:
    """The images of the most memorised samples by id; none, if inputs are not images."""
    from expunge.cli.attribute import images
    from expunge.graph.runtime import read_facts

    found: dict[str, Any] = {}
    for row in document["memorisation"]:
        subsets = space.store.node(space.store.node(row["run"]).parents["subsets"])
        data = space.store.path(subsets.parents["data"])
        if read_facts(data).kind == "images":
            train = space.runtime.dataset(data).train
            found |= images(train, [each["id"] for each in row["most"]])
    return found
