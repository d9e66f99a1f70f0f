"""`expunge influence`: which source classes of a model harm or help a target task."""

from typing import TYPE_CHECKING, Annotated

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Device,
    DryRun,
    Engine,
    Model,
    Picture,
    Shard,
    Slurm,
    Store,
    Workers,
    session,
    show_json,
)
from expunge.cli.plans import show_graph
from expunge.cli.tables import print_tables

if TYPE_CHECKING:
    from expunge.data.spec import DataSpec

Target = Annotated[
    str, typer.Option("--target", help="The target's data: a folder, a Hub id, digits, ...")
]


def influence(
    context: typer.Context,
    run: Model,
    target: Target,
    subsets: Annotated[
        int, typer.Option(help="How many models of a random half of the source classes.", min=4)
    ] = 200,
    share: Annotated[
        float, typer.Option(help="Share of the source classes that each is trained without.")
    ] = 0.5,
    epochs: Annotated[
        int | None, typer.Option(help="Passes of each; default: as the source model.", min=1)
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
    """Rank a model's source classes by their influence on another task.

    Further flags describe the target's data: --image-size 32 --validation-fraction 0.2.
    """
    from expunge.data.facts import resolve
    from expunge.data.places import default_cache
    from expunge.graph.kinds.data import add_data
    from expunge.graph.kinds.transfer import check_target
    from expunge.graph.runtime import read_facts
    from expunge.report.transfer import influence_table
    from expunge.studies.transfer.influence import collect_influence, plan_influence
    from expunge.studies.transfer.settings import InfluenceSettings, check_numbers
    from expunge.transfer.probe import ProbeConfig

    settings = InfluenceSettings(subsets=subsets, share=share, epochs=epochs)
    spec = target_spec(target, context.args, "influence")
    space = session(store, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    model = space.store.find(run)
    graph = space.graph()
    source = read_facts(space.store.path(graph.data_of(graph.model(model).id)))
    facts = resolve(spec, default_cache())
    check_target(source, facts)
    check_numbers((1,), len(source.class_names), subsets)
    target_id = add_data(graph, spec, facts)
    plan = plan_influence(graph, model, source, target_id, settings, ProbeConfig())
    if dry_run:
        show_graph(graph, picture, as_json)
        return
    space.run(graph)
    found = collect_influence(space.store, plan)
    if as_json:
        show_json({"run": model, "target": facts.name, **found})
        return
    print_tables([influence_table(found, source.name, facts.name)])


def target_spec(target: str, words: list[str], command: str) -> "DataSpec":
    """The target's data, with a fifth of the training samples held out for validation by default.

    Classes are ranked on validation samples, so that test samples only judge.
    """
    from expunge.config import from_mapping, parse_flags
    from expunge.data.spec import DataSpec

    given = parse_flags(DataSpec, words, command)
    held_out = {} if "validation_split" in given else {"validation_fraction": 0.2}
    return from_mapping(DataSpec, {**held_out, **given, "source": target}, command)
