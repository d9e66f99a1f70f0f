"""`expunge evaluate`: measure a model in the store, or many by their logits."""

from pathlib import Path
from typing import Annotated, Any

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Device,
    Engine,
    Shard,
    Slurm,
    Store,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say, show_table


def evaluate(
    run: Annotated[
        str | None, typer.Argument(help="An unlearned model's id, or the start of it.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The id of the retrained model to compare with.")
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(help="The forget set to measure on; default: what the model has unlearned."),
    ] = None,
    attacks: Annotated[
        bool, typer.Option("--attacks", help="Also show every membership attack.")
    ] = False,
    groups: Annotated[
        str | None,
        typer.Option(
            help="CSV file with the columns id and group: also measure test accuracy by group.",
            metavar="FILE",
        ),
    ] = None,
    logits: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a model: a folder with logits or margins of many original, retrained "
            "and unlearned models, in EasyDUB's layout; --forget names one of its forget sets.",
            metavar="FOLDER",
        ),
    ] = None,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure a model: UA, RA, TA, membership attacks, and the gap to a retrained one."""
    from expunge.errors import ConfigError

    if logits is not None and run is None:
        others = (reference, groups, engine, workers, shard, *(slurm or ()))
        asked = any(each is not None for each in others) or attacks
        if asked or device != "auto" or store != DEFAULT_STORE:
            raise ConfigError(
                "--logits takes --forget and --json alone: what it compares lies in its folder"
            )
        _evaluate_logits(logits, forget, as_json)
        return
    if run is None or logits is not None:
        raise ConfigError("evaluate takes a model's id, or --logits FOLDER")
    from expunge.studies.verdict import collect_verdict, plan_verdict

    space = session(store, device, engine=engine, workers=workers, shard=shard, slurm=slurm)
    graph = space.graph()
    other = None if reference is None else space.store.find(reference)
    verdict = plan_verdict(graph, space.store.find(run), other, forget, groups=groups)
    space.run(graph)
    found = collect_verdict(space.store, verdict)
    if as_json:
        show_json(found)
    else:
        _print(found)
        if found.get("group_accuracy") is not None:
            _print_groups(found["group_accuracy"])
        if attacks and found["attacks"] is not None:
            _print_attacks(found["attacks"])


def _evaluate_logits(folder: Path, forget: str | None, as_json: bool) -> None:
    from expunge.cli.precomputed import print_compared
    from expunge.studies.precomputed.compare import compare

    found = compare(folder, forget)
    if as_json:
        show_json(found)
    else:
        print_compared(found)


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table

    gaps = found["gap"] or {}
    draws = found["draws"]
    say(f"{found['run']} on {found['scenario']}")
    table = Table(header_style="bold")
    table.add_column("metric", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("gap to\nRetrain", justify="right")
    # Of the mean over draws of the attacker's sample, not over models.
    for name in ("draws", "standard\nerror", "median") if draws else ():
        table.add_column(name, justify="right")
    for name, value in found["metrics"].items():
        if value is not None:
            difference = gaps.get(name)
            table.add_row(
                name,
                f"{value:.2f}",
                "" if difference is None else f"{difference:.2f}",
                *_spread(draws.get(name)),
            )
    if gaps:
        table.add_row("mean gap", "", f"{gaps['avg']:.2f}")
    show_table(table)
    for name, each in draws.items():
        if not each["agree"]:
            say(
                f"Note: the draws of {name} disagree: standard deviation {each['deviation']:.2f}, "
                f"5th to 95th percentile {each['p5']:.2f} to {each['p95']:.2f}; the mean is of "
                f"{each['n']} draws of the attacker's sample."
            )
    _print_samples(found)
    reasons: dict[str, list[str]] = {}
    for name, reason in found["reasons"].items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        say(f"Not measured: {', '.join(names)}; {reason}.")
    if found["gap_reason"]:
        say(f"No gap: {found['gap_reason']}.")
    if "gap_note" in found:
        say(f"Note: {found['gap_note']}.")


def _print_samples(found: dict[str, Any]) -> None:
    """Counts, with intervals for test samples, and what the samples say of two models."""
    from expunge.scenarios import corrects

    counts = found.get("samples", {})
    chosen = "corrected" if corrects(found["scenario"]) else "forgotten"
    for name, what in (("ua", f"{chosen} samples wrong"), ("ra", "retained samples right")):
        if name in counts:
            say(f"{name.upper()}: {counts[name]['count']} of {counts[name]['n']} {what}.")
    for name, label in (("ta", "TA"), ("ta_forgotten", "TA, forgotten classes")):
        if name in counts:
            each = counts[name]
            say(
                f"{label}: {each['count']} of {each['n']} test samples right, 95 % interval "
                f"{each['low']:.2f} to {each['high']:.2f} (Wilson)."
            )
    if "against_reference" in found:
        pair = found["against_reference"]
        interval = (
            "without an interval, as resampling changes nothing"
            if pair["low"] is None
            else f"95 % interval {pair['low']:+.2f} to {pair['high']:+.2f} (paired bootstrap over "
            "test samples)"
        )
        say(
            f"TA against the reference: {pair['only_model']} test samples only this model gets "
            f"right, {pair['only_reference']} only the reference: p = {pair['p']:.2g} (McNemar, "
            f"exact); difference {pair['difference']:+.2f} points, {interval}. This is about these "
            "two models, and says nothing about other seeds."
        )


def _spread(draws: dict[str, Any] | None) -> tuple[str, ...]:
    """The number of draws, the standard error of their mean, and their median."""
    if draws is None:
        return ()
    return str(draws["n"]), f"±{draws['standard_error']:.2f}", f"{draws['median']:.2f}"


def _print_groups(found: dict[str, dict[str, float | None]]) -> None:
    from rich import box
    from rich.table import Table

    # Above the table, which may be narrower than its title.
    say("Test accuracy by group, %:")
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 0))
    table.add_column("class", no_wrap=True)
    for group in found:
        table.add_column(group, justify="right")
    for name in next(iter(found.values())):
        cells = (by_class[name] for by_class in found.values())
        table.add_row(name, *("—" if value is None else f"{value:.1f}" for value in cells))
    show_table(table)


def _print_attacks(attacks: dict[str, dict[str, float | None]]) -> None:
    _print_attack_table("Retained samples against test samples", attacks, "")
    _print_attack_table("Forgotten samples against unseen samples", attacks, "forget_")


def _print_attack_table(
    title: str, attacks: dict[str, dict[str, float | None]], prefix: str
) -> None:
    from rich import box
    from rich.table import Table

    columns = {
        "privacy": "balanced\naccuracy",
        "auc": "AUC",
        "tpr_at_1": "TPR\n1 %",
        "tpr_at_01": "TPR\n0.1 %",
    }
    shown = {f"{prefix}{key}": name for key, name in columns.items()}
    if not prefix:
        shown = {"efficacy": "efficacy"} | shown
    # No lines between columns, so that the longest name fits a terminal.
    table = Table(title=f"{title}, %", box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("attack", no_wrap=True)
    for name in shown.values():
        table.add_column(name, justify="right")
    for name, found in attacks.items():
        values = (found[key] for key in shown)
        table.add_row(name, *("—" if value is None else f"{value:.2f}" for value in values))
    show_table(table)
