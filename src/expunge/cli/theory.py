"""`expunge theory` and `expunge theory-run`: measure the sparsity theorem."""

from pathlib import Path
from typing import Annotated, Any

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Device,
    DryRun,
    Engine,
    Model,
    Only,
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
from expunge.cli.output import say
from expunge.cli.plans import show_graph
from expunge.cli.tables import print_tables
from expunge.cli.targets import check_study
from expunge.studies.scales import PAPER


def theory(
    context: typer.Context,
    recipe: Recipe,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for theory.json and figures; default: the recipe's name and scale.",
        ),
    ] = None,
    store: StudyStore = None,
    scale: Scale = PAPER,
    only: Only = None,
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
    """Measure unlearning error and its bound at a recipe's sparsities; it must train by plain SGD.

    Further flags set the estimate of σ(m): --samples 500 --tolerance 1e-4 --iterations 300
    --batch-size 250 --precision float64.
    """
    from expunge.config import from_flags
    from expunge.report.theory import load_theory, theory_tables, write_theory_figures
    from expunge.studies.folder import claim_settings, keep
    from expunge.studies.recipe import with_overrides
    from expunge.studies.shipped import find_recipe
    from expunge.studies.theory import THEORY, collect_theory, plan_theory, settings_of
    from expunge.studies.theory_claims import read_theory
    from expunge.theory.config import HessianConfig

    config = from_flags(HessianConfig, context.args, "theory")
    experiment, claims = read_theory(find_recipe(recipe), scale, only)
    experiment = with_overrides(experiment, seeds=first(seeds))
    words = asked(scale, only, seeds)
    words += "".join(f" {word}" for word in context.args)
    folder, root = study_folder(recipe, out, store, scale)
    check_study(folder, settings_of(experiment, claims), dry_run)
    space = session(root, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    points = plan_theory(graph, experiment, config)
    if dry_run:
        show_graph(graph, picture, as_json, experiment.recipe)
        return
    claim_settings(folder, settings_of(experiment, claims))
    space.run(graph)
    reproduce = f"expunge theory {recipe}{words}"
    results = collect_theory(space.store, experiment, config, points, reproduce, claims)
    results = keep(folder / THEORY, results, "points")
    document = load_theory(folder / THEORY)
    figures = write_theory_figures(document, folder)
    if as_json:
        show_json(results)
        return
    print_tables(theory_tables(document))
    for figure in figures:
        say(f"Figure: {figure}")


def theory_run(
    context: typer.Context,
    run: Model,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure a model's distance from its initialisation, its sharpness σ(m), and the bound.

    Further flags set the estimate of σ(m): --samples 500 --tolerance 1e-4 --iterations 300
    --batch-size 250 --precision float64.
    """
    from expunge.config import from_flags
    from expunge.graph.kinds.path import load_facts
    from expunge.graph.kinds.sharpness import add_sharpness
    from expunge.theory.config import HessianConfig

    config = from_flags(HessianConfig, context.args, "theory-run")
    space = session(store, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    model = space.store.find(run)
    graph = space.graph()
    sharpness = add_sharpness(graph, model, config)
    space.run(graph)
    facts: dict[str, Any] = load_facts(space.store.path(sharpness))
    if as_json:
        show_json({"run": model, **facts})
        return
    say(f"‖m⊙(θ_t−θ_0)‖₂  {facts['moved']:.4g}")
    say(f"σ(m) at θ_t     {facts['sigma']:.4g}")
    say(f"σ(m) at θ_0     {facts['sigma_start']:.4g}")
    say(f"η²t‖·‖σ(m)      {facts['bound']:.4g}   (η = {facts['lr']:g}, t = {facts['steps']})")
    if facts["departures"]:
        say(
            "The theorem is about plain SGD; this model's training has "
            + ", ".join(facts["departures"])
            + "."
        )
