"""`expunge demo` and `expunge bench`: a whole experiment, and its report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expunge.cli.options import AsJson, Compiled, Device, Devices, Strategy, show_json, workspace

if TYPE_CHECKING:
    from expunge.bench.experiment import Experiment
    from expunge.bench.workspace import Workspace

Out = Annotated[Path, typer.Option("--out", help="Folder for results and report.", metavar="DIR")]
Seeds = Annotated[
    int | None, typer.Option("--seeds", help="Run seeds 0 to N-1.", min=1, metavar="N")
]


def demo(
    out: Out = Path("demo"),
    seeds: Seeds = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            help="How many processes make stages at the same time; default: one a core, at most 4.",
            min=1,
            metavar="N",
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Train, prune, forget a class and a random tenth, and report, in about a minute."""
    from importlib.resources import files

    from joblib import cpu_count

    from expunge.bench.experiment import parse_experiment, with_overrides

    text = (files("expunge.bench") / "demo.toml").read_text(encoding="utf-8")
    experiment = with_overrides(parse_experiment(text, "demo.toml"), seeds=_first(seeds))
    words = f" --seeds {seeds}" if seeds is not None else ""
    reproduce = f"expunge demo --out demo{words}"
    space = workspace(out / "runs", device)
    _run(space, experiment, out, reproduce, workers or min(4, cpu_count()), as_json)


def bench(
    recipe: Annotated[Path, typer.Argument(help="A TOML file that describes an experiment.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for results and report; default: the recipe's name."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Folder of finished runs; default: runs inside --out."),
    ] = None,
    seeds: Seeds = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Read the same data from here instead.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            help="How many processes make stages at the same time. Run times are then those of a "
            "shared machine.",
            min=1,
            metavar="N",
        ),
    ] = 1,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    as_json: AsJson = False,
) -> None:
    """Run the experiment of a recipe: what is not in the store yet; then report."""
    from expunge.bench.experiment import read_experiment, with_overrides

    experiment = with_overrides(read_experiment(recipe), seeds=_first(seeds), source=data)
    words = f" --seeds {seeds}" if seeds is not None else ""
    out = out if out is not None else Path(recipe.stem)
    space = workspace(
        store if store is not None else out / "runs", device, devices, strategy, compiled
    )
    _run(space, experiment, out, f"expunge bench {recipe}{words}", workers, as_json)


def _first(seeds: int | None) -> tuple[int, ...] | None:
    return None if seeds is None else tuple(range(seeds))


def _run(
    space: "Workspace",
    experiment: "Experiment",
    out: Path,
    reproduce: str,
    workers: int,
    as_json: bool,
) -> None:
    from expunge.bench.results import run_experiment
    from expunge.cli.tables import print_tables
    from expunge.report import to_text

    results = run_experiment(space, experiment, out, reproduce, workers)
    if not space.leads:
        return
    path = out / "report.html"
    # A report that is younger than its results says the same: drawing it again takes seconds.
    if not path.exists() or path.stat().st_mtime < (out / "results.json").stat().st_mtime:
        from expunge.report import write_report

        write_report(results, out)
    if as_json:
        show_json(results)
    else:
        print_tables(to_text(results))
        typer.echo(f"\nReport: {path}")
