"""`expunge transfer` and `expunge transfer-run`: what source models are worth for a target task."""

from pathlib import Path
from typing import Annotated

import typer

from expunge.cli.influence import Target, target_spec
from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Device,
    DryRun,
    Engine,
    Model,
    Picture,
    Recipe,
    Scale,
    Seeds,
    Shard,
    Slurm,
    Store,
    StudyStore,
    Workers,
    asked,
    first,
    session,
    show_json,
    study_folder,
)
from expunge.cli.output import say, tell
from expunge.cli.plans import show_graph
from expunge.cli.tables import print_tables
from expunge.cli.targets import check_study
from expunge.studies.scales import PAPER


def transfer(
    recipe: Recipe,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for transfer.json and figures; default: the recipe's name and scale.",
        ),
    ] = None,
    store: StudyStore = None,
    scale: Scale = PAPER,
    seeds: Seeds = None,
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

    from expunge.report.transfer import transfer_tables, write_transfer_figures
    from expunge.studies.folder import claim_settings, keep
    from expunge.studies.recipe import with_overrides
    from expunge.studies.shipped import find_recipe
    from expunge.studies.transfer.influence import collect_influence
    from expunge.studies.transfer.study import (
        TRANSFER,
        collect_transfer,
        plan_removals,
        plan_transfer,
        read_transfer,
    )

    study = read_transfer(find_recipe(recipe), scale)
    study = replace(study, experiment=with_overrides(study.experiment, seeds=first(seeds)))
    words = asked(scale, None, seeds)
    if subsets is not None:
        study = replace(study, influence=replace(study.influence, subsets=subsets))
        words += f" --subsets {subsets}"
    folder, root = study_folder(recipe, out, store, scale)
    check_study(folder, study.settings(), dry_run)
    space = session(
        root, device, engine=engine, workers=workers, shard=shard, slurm=slurm, shard_waits=True
    )
    graph = space.graph()
    plan = plan_transfer(graph, study)
    if dry_run:
        # Any ranking has as many removals, and takes as long.
        plan_removals(graph, plan, list(range(len(plan.source.class_names))))
        show_graph(graph, picture, as_json, study.experiment.recipe)
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
    if as_json:
        show_json(results)
    else:
        print_tables(transfer_tables(results))
        for path in figures:
            say(f"Figure: {path}")
    for row in failed:
        tell(f"failed: {row['run']}: {row['failed']}")
    if failed:
        raise typer.Exit(1)


def transfer_run(
    context: typer.Context,
    run: Model,
    target: Target,
    fine_tune: Annotated[
        int | None,
        typer.Option("--fine-tune", help="Also train the whole network for so many epochs.", min=1),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate of --fine-tune; default: 0.01.")
    ] = None,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    picture: Picture = None,
    as_json: AsJson = False,
) -> None:
    """Measure any model on another task: by a linear probe, and after fine-tuning.

    Further flags describe the target's data: --image-size 32 --validation-fraction 0.2.
    """
    from expunge.data.facts import resolve
    from expunge.data.places import default_cache
    from expunge.errors import ConfigError
    from expunge.graph.kinds.data import add_data
    from expunge.graph.kinds.transfer import add_transfer, check_target, load_transfer
    from expunge.graph.runtime import read_facts
    from expunge.settings import Training
    from expunge.statistics.intervals import wilson
    from expunge.transfer.probe import ProbeConfig

    ways: dict[str, ProbeConfig | Training] = {"linear probe": ProbeConfig()}
    if fine_tune is not None:
        rate = 0.01 if lr is None else lr
        ways["fine-tuned"] = Training(epochs=fine_tune, batch_size=64, lr=rate, schedule="cosine")
    elif lr is not None:
        raise ConfigError(f"--lr {lr:g} is of --fine-tune EPOCHS: add it, or leave --lr out")
    spec = target_spec(target, context.args, "transfer-run")
    space = session(store, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    model = space.store.find(run)
    graph = space.graph()
    source = read_facts(space.store.path(graph.data_of(graph.model(model).id)))
    facts = resolve(spec, default_cache())
    check_target(source, facts)
    target_id = add_data(graph, spec, facts)
    nodes = {name: add_transfer(graph, model, target_id, way) for name, way in ways.items()}
    if dry_run:
        show_graph(graph, picture, as_json)
        return
    space.run(graph)
    found = {name: load_transfer(space.store.path(node)) for name, node in nodes.items()}
    if as_json:
        show_json({"run": model, "target": facts.name, "found": found})
    for name, measured in found.items():
        if "diverged" in measured:
            tell(f"failed: {name}: {measured['diverged']}")
        elif not as_json:
            accuracy, total = measured["accuracy"]["test"], measured["samples"]["test"]
            validation = measured["accuracy"]["validation"]
            bounds = wilson(round(accuracy * total / 100), total)
            say(
                f"{name:<12}  {accuracy:.2f} % of {total} test samples of {facts.name} "
                f"(95 % interval {bounds.low:.1f} to {bounds.high:.1f}), "
                f"{validation:.2f} % of {measured['samples']['validation']} validation samples, "
                f"{measured['seconds']:.1f} s"
            )
    if any("diverged" in measured for measured in found.values()):
        raise typer.Exit(1)
