"""Options shared by several commands."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.output import write
from expunge.studies.scales import PAPER

if TYPE_CHECKING:
    from expunge.cli.session import Session

Store = Annotated[
    Path,
    typer.Option(
        "--store",
        envvar="EXPUNGE_STORE",
        help="Folder of finished runs.",
        metavar="DIR",
    ),
]
Model = Annotated[str, typer.Argument(help="The id of a model in the store, or the start of it.")]
Sparsity = Annotated[
    float | None, typer.Option(help="Share of prunable weights to remove; default: 0.95.")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Devices = Annotated[int, typer.Option("--devices", help="How many devices train together.", min=1)]
Strategy = Annotated[
    str,
    typer.Option("--strategy", help="How devices train together: auto, ddp (as in Fabric)."),
]
Precision = Annotated[
    str, typer.Option("--precision", help="Training precision: 32-true, bf16-mixed, auto.")
]
Compiled = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile training steps (CUDA graphs on CUDA). Takes a minute; worth it on GPUs.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="What makes the missing nodes: here, processes, ray, slurm; default: processes with "
        "several workers, else here.",
        metavar="NAME",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="How many processes, or Slurm jobs, make nodes in parallel. Run times are then "
        "measured on a shared machine.",
        min=1,
        metavar="N",
    ),
]
KeepGoing = Annotated[
    bool,
    typer.Option("--keep-going", help="When a node fails, continue with those that don't need it."),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="Make the i-th of N shares of the missing nodes: start the same command N times, "
        "with any scheduler, on one file system.",
        metavar="i/N",
    ),
]
Slurm = Annotated[
    list[str] | None,
    typer.Option(
        "--slurm",
        help="A setting for --engine slurm, with submitit's names: timeout_min=60, "
        "gpus_per_node=1, slurm_partition=short. May be repeated.",
        metavar="NAME=VALUE",
    ),
]
Track = Annotated[
    list[str] | None,
    typer.Option(
        "--track",
        help="Write loss and learning rate by epoch, and measures, to tensorboard:FOLDER or "
        "wandb:PROJECT (offline). May be repeated.",
        metavar="TRACKER:PLACE",
    ),
]
Seeds = Annotated[
    int | None, typer.Option("--seeds", help="Run seeds 0 to N-1.", min=1, metavar="N")
]
Scale = Annotated[
    str,
    typer.Option(
        "--scale",
        help="Run the recipe at this of its scales; its own tables are its scale paper.",
        metavar="NAME",
    ),
]
Only = Annotated[
    str | None,
    typer.Option(
        "--only",
        help="Run a subset that the recipe names, or these methods and scenarios alone: "
        "ft,random:0.1. Retrain stays, to compare with.",
        metavar="NAME",
    ),
]
Recipe = Annotated[
    Path,
    typer.Argument(
        help="A TOML file that describes the study, or the name of one of expunge bench --list."
    ),
]
StudyStore = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of finished runs; default: runs inside --out."),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Run nothing; show what is missing and how long it may take.",
        is_eager=True,  # `--graph` asks for it, wherever it stands
    ),
]


def _checked_picture(context: typer.Context, picture: Path | None) -> Path | None:
    from expunge.cli.targets import check_file
    from expunge.errors import ConfigError
    from expunge.graph.picture import BEGINS

    if picture is not None:
        if not context.params["dry_run"]:
            raise ConfigError(f"--graph {picture} draws what --dry-run plans: add --dry-run")
        check_file(picture, "--graph", BEGINS)
        if picture.suffix != ".svg":
            raise ConfigError(f"--graph {picture}: expected a name that ends in .svg")
    return picture


Picture = Annotated[
    Path | None,
    typer.Option(
        "--graph",
        help="With --dry-run: draw the graph.",
        metavar="FILE.svg",
        callback=_checked_picture,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_STORE = Path("expunge-runs")


def first(seeds: int | None) -> tuple[int, ...] | None:
    """The seeds from 0 that `--seeds` asks for; None leaves those of the recipe."""
    return None if seeds is None else tuple(range(seeds))


def asked(scale: str, only: str | None, seeds: int | None) -> str:
    """The options that say what of a recipe to run, as a command has them."""
    words = "" if scale == PAPER else f" --scale {shlex.quote(scale)}"
    words += "" if only is None else f" --only {shlex.quote(only)}"
    return words if seeds is None else f"{words} --seeds {seeds}"


def study_folder(
    recipe: Path, out: Path | None, store: Path | None, scale: str = PAPER
) -> tuple[Path, Path]:
    """Where a recipe's results go, and its store: what was asked for, or named after the recipe.

    Raises:
        StoreError: the folder of the results cannot be written to.
    """
    from expunge.cli.targets import check_folder

    name = recipe.stem if scale == PAPER else f"{recipe.stem}-{scale}"
    folder = out if out is not None else Path(name)
    check_folder(folder)
    return folder, store if store is not None else folder / "runs"


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    write(json.dumps(value, indent=1, allow_nan=False) + "\n")


def session(
    store: Path,
    device: str = "auto",
    devices: int = 1,
    strategy: str = "auto",
    compiled: bool = False,
    engine: str | None = None,
    workers: int | None = None,
    keep_going: bool = False,
    shard: str | None = None,
    slurm: Sequence[str] | None = None,
    shard_waits: bool = False,
    track: Sequence[str] | None = None,
) -> "Session":
    """A session over `store` that shows progress on standard error.

    Several workers are processes on this machine, unless another engine is named.
    """
    from expunge.cli.session import Session
    from expunge.engines import Engine as EngineChoice
    from expunge.engines import Shard as ShardChoice
    from expunge.errors import StoreError
    from expunge.graph.runtime import device_kind
    from expunge.search_path import working_directory

    if working_directory() is None:
        # Relative paths lead nowhere, and libraries of PyTorch end the process.
        raise StoreError("the working directory was deleted: change to another one")

    if device not in ("auto", "cpu"):  # which need no PyTorch to be known
        device_kind(device)
    several = workers is not None and workers > 1
    chosen = EngineChoice(
        name=engine if engine is not None else ("processes" if several else "here"),
        workers=workers,
        keep_going=keep_going,
        shard=None if shard is None else ShardChoice.parse(shard, waits=shard_waits),
        slurm=dict(_pair(text) for text in slurm or ()),
    )
    return Session(store, chosen, device, devices, strategy, compiled, track or ())


def _pair(text: str) -> tuple[str, Any]:
    """The name and value of a `--slurm` option; the value is parsed as JSON where it is JSON.

    >>> _pair("mem_gb=8"), _pair("slurm_partition=short")
    (('mem_gb', 8), ('slurm_partition', 'short'))
    """
    from expunge.errors import ConfigError

    name, separator, value = text.partition("=")
    if not (name and separator):
        raise ConfigError(f"--slurm {text}: expected NAME=VALUE, as in --slurm timeout_min=60")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
