"""`expunge correct`: make a model unlearn wrong labels while it learns the right ones."""

from pathlib import Path
from typing import Annotated

import typer

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
)
from expunge.cli.unlearn import unlearn


def correct(
    context: typer.Context,
    run: Model,
    labels: Annotated[
        Path,
        typer.Option(
            help="CSV file with the columns id and label: right labels of training samples.",
            metavar="FILE.csv",
        ),
    ],
    method: Annotated[str, typer.Option(help="ft, ga, ...: see expunge methods.")] = "ft",
    pruner: Annotated[
        str | None,
        typer.Option(
            "--prune", help="Prune first: omp, ... Set the pruner with --prune.rewind false."
        ),
    ] = None,
    sparsity: Sparsity = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Also write the corrected weights here: NAME.safetensors, or for hf: a folder."
        ),
    ] = None,
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
    """Unlearn wrong labels and learn the right ones. Further flags set the method: --epochs 5."""
    from expunge.errors import ConfigError

    if labels.suffix.lower() != ".csv":
        raise ConfigError(f"--labels {labels}: expected a CSV file, whose name ends in .csv")
    unlearn(
        context,
        run,
        f"corrected:{labels}",
        method,
        pruner,
        sparsity,
        out,
        store,
        engine,
        workers,
        shard,
        slurm,
        device,
        devices,
        strategy,
        compiled,
        track,
        as_json,
    )
