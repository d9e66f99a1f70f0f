"""Options that several commands have."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from expunge.bench.workspace import Workspace

Store = Annotated[
    Path,
    typer.Option(
        "--store",
        envvar="EXPUNGE_STORE",
        help="Folder of finished runs.",
        metavar="DIR",
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Devices = Annotated[int, typer.Option("--devices", help="How many devices train together.", min=1)]
Strategy = Annotated[
    str, typer.Option("--strategy", help="How they do: auto, ddp (Lightning Fabric's names).")
]
Precision = Annotated[
    str, typer.Option("--precision", help="Of training: 32-true, bf16-mixed, auto.")
]
Compiled = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile training steps (CUDA graphs on CUDA). Takes a minute; pays on GPUs.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs to read.")]

DEFAULT_STORE = Path("expunge-runs")


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=1, allow_nan=False))


def workspace(
    store: Path,
    device: str = "auto",
    devices: int = 1,
    strategy: str = "auto",
    compiled: bool = False,
) -> "Workspace":
    """A workspace over `store` whose progress is shown on standard error."""
    from expunge.bench.threads import share_processor
    from expunge.bench.workspace import Workspace
    from expunge.cli.progress import Terminal
    from expunge.runs import Store as RunStore

    share_processor(devices)
    terminal = Terminal()
    space = Workspace(
        RunStore(store),
        device=device,
        devices=devices,
        strategy=strategy,
        compiled=compiled,
        progress=terminal.progress,
        announce=terminal.announce,
    )
    if not space.leads:
        # One process of a run speaks for all.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    return space
