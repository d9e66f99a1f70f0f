"""`expunge prune`: a sparse model."""

from typing import Annotated, Any

import typer

from expunge.cli.made import show_made
from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Compiled,
    Device,
    Devices,
    Engine,
    Model,
    Shard,
    Slurm,
    Sparsity,
    Store,
    Strategy,
    Track,
    Workers,
    session,
)
from expunge.cli.output import show_table


def prune(
    context: typer.Context,
    run: Model,
    method: Annotated[str, typer.Option(help="omp, synflow, ...: see expunge methods.")] = "omp",
    sparsity: Sparsity = None,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    track: Track = None,
    as_json: AsJson = False,
) -> None:
    """Prune a model and retrain it under the mask. Further flags set the pruner: --rewind false."""
    from expunge.graph.kinds.prune import add_prune
    from expunge.graph.outcome import check_diverged
    from expunge.graph.record import load_record

    config = pruner_config(method, sparsity, context.args)
    space = session(
        store,
        device,
        devices,
        strategy,
        compiled,
        engine,
        workers,
        shard=shard,
        slurm=slurm,
        track=track,
    )
    graph = space.graph()
    run_id = add_prune(graph, space.store.find(run), method, config, space.together)
    space.run(graph)
    check_diverged(space.store.path(run_id))
    layers = load_record(space.store.path(run_id))["layers"]
    if not as_json and space.leads:
        _print_layers(layers)
    show_made(space, run_id, as_json, {"layers": layers})


def pruner_config(pruner: str, sparsity: float | None, words: list[str]) -> Any:
    """The pruner's settings from the command line."""
    from expunge.config import from_mapping, parse_flags
    from expunge.sparsity import get_pruner

    cls = get_pruner(pruner).config
    given = parse_flags(cls, words, f"prune {pruner}")
    if sparsity is not None:
        given["sparsity"] = sparsity
    return from_mapping(cls, given, f"prune {pruner}")


def _print_layers(layers: list[dict[str, Any]]) -> None:
    """Print the sparsity of every layer on standard error; standard output is the run's id."""
    from rich.table import Table

    table = Table(header_style="bold")
    table.add_column("layer", overflow="fold")
    for column in ("weights", "kept", "sparsity"):
        table.add_column(column, justify="right")
    for layer in layers:
        table.add_row(
            layer["name"], str(layer["total"]), str(layer["kept"]), f"{layer['sparsity']:.2%}"
        )
    show_table(table, stderr=True)
