"""`expunge tune`: choose a method's settings, with or without a retrained model."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Device,
    DryRun,
    Engine,
    Shard,
    Slurm,
    Store,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say, show_table, tell
from expunge.cli.trials import trial_said

if TYPE_CHECKING:
    from expunge.cli.session import Session
    from expunge.studies.tuning.objectives import Case
    from expunge.studies.tuning.settings import Tuning
    from expunge.studies.tuning.space import Space

METRICS = {"UA": "ua", "MIA-eff.": "mia_efficacy", "RA": "ra", "TA": "ta"}


def tune(
    context: typer.Context,
    method: Annotated[str, typer.Argument(help="ft, ga, ...: see expunge methods.")],
    run: Annotated[
        str, typer.Option(help="The id of the model to unlearn from, or the start of it.")
    ],
    forget: Annotated[
        str,
        typer.Option(help="class:3, random:0.1, ids:FILE, suspected:strip.", metavar="SCENARIO"),
    ],
    objective: Annotated[
        str,
        typer.Option(
            help="oracle: gap to Retrain; no_oracle: needs validation data instead of Retrain."
        ),
    ] = "no_oracle",
    trials: Annotated[int, typer.Option(help="How many settings to try.")] = 20,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range", help="Search this range, as in lr=1e-4:0.1:log.", metavar="NAME=LOW:HIGH"
        ),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(help="Points that RA and validation accuracy may each lose at no cost."),
    ] = 1.0,
    grid: Annotated[
        bool,
        typer.Option("--grid", help="Try values at equal distances over the range of one setting."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    out: Annotated[Path, typer.Option(help="File that records every trial.")] = Path("tune.json"),
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Choose a method's settings. Further flags are settings to keep fixed: --batch-size 64."""
    from expunge.cli.targets import check_file
    from expunge.config import parse_flags
    from expunge.methods import get_method
    from expunge.studies.tuning.objectives import Bench, Case
    from expunge.studies.tuning.settings import Tuning
    from expunge.studies.tuning.space import parse_range, space_of
    from expunge.studies.tuning.tune import as_toml
    from expunge.studies.tuning.tune import tune as search

    check_file(out)
    tuning = Tuning(objective=objective, budget=budget, trials=trials, seed=seed, grid=grid)
    chosen = get_method(method)
    fixed = parse_flags(chosen.config, context.args, f"tune {method}")
    space = space_of(chosen, dict(parse_range(text) for text in ranges or ()), fixed)
    if grid:
        space.grid(trials)
    place = session(
        store, device, engine=engine, workers=workers, shard=shard, slurm=slurm, shard_waits=True
    )
    case = Case(place.store.find(run), forget)
    if dry_run:
        _show_outlook(place, case, space, tuning, as_json)
        return
    bench = Bench(place.store, place.run)
    document = search(bench, case, space, tuning, out, lambda trial: _tell(trial, trials))
    if as_json:
        show_json(document)
    else:
        _print(document)
        say(f"\n{as_toml(document)}\n\nEvery trial: {out}")


def _show_outlook(
    place: "Session", case: "Case", space: "Space", tuning: "Tuning", as_json: bool
) -> None:
    from expunge.cli.plans import print_plan
    from expunge.studies.tuning.outlook import outlook

    found = outlook(place.store, case, space, tuning)
    if as_json:
        show_json(found.to_json())
        return
    print_plan(found.before)
    say(
        f"Then {found.trials} trials of at most {found.per_trial} nodes each: "
        f"{found.at_most} nodes at most."
    )


def _tell(trial: Mapping[str, Any], total: int) -> None:
    tell(f"trial {trial['trial'] + 1}/{total}  {trial_said(trial)}")


def _print(document: Mapping[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    settings, best = document["settings"], document["best"]
    table = Table(
        title=f"{settings['method']} in {settings['scenario']}, chosen by {settings['objective']}",
        title_justify="left",
        title_style="bold",
        header_style="",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    searched = list(settings["search"])
    for name in ("", *searched, "points", *METRICS, "RTE s"):
        table.add_column(name, justify="right")
    for trial in document["trials"]:
        values = [f"{trial['searched'][name]:g}" for name in searched]
        if trial["value"] is None:
            table.add_row("", *values, "diverged")
            continue
        table.add_row(
            "best" if trial["trial"] == best["trial"] else "",
            *values,
            f"{trial['value']:.3f}",
            *(_points(trial["metrics"][key]) for key in METRICS.values()),
            f"{trial['rte_s']:.2f}",
        )
    show_table(table)


def _points(value: float | None) -> str:
    """A metric in the table; a dash where it could not be measured."""
    return "—" if value is None else f"{value:.2f}"
