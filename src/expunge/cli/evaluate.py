"""`expunge evaluate`: every metric of a model in the store."""

from typing import Annotated, Any

import typer

from expunge.cli.options import DEFAULT_STORE, AsJson, Device, Store, show_json, workspace


def evaluate(
    run: Annotated[str, typer.Argument(help="An unlearned model's id, or how it begins.")],
    reference: Annotated[
        str | None, typer.Option(help="The retrained model's id, to compare with.")
    ] = None,
    forget: Annotated[
        str | None,
        typer.Option(help="What to call forgotten, if the model is an original one."),
    ] = None,
    store: Store = DEFAULT_STORE,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure a model: UA, RA, TA, membership attacks, and the gap to a retrained one."""
    from expunge.bench.verdict import verdict

    space = workspace(store, device)
    found = verdict(
        space,
        space.store.find(run),
        None if reference is None else space.store.find(reference),
        forget,
    )
    if as_json:
        show_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    gaps = found["gap"] or {}
    table = Table(title=f"{found['run']} on {found['scenario']}", header_style="bold")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("gap to Retrain", justify="right")
    for name, value in found["metrics"].items():
        if value is not None:
            difference = gaps.get(name)
            table.add_row(name, f"{value:.2f}", "" if difference is None else f"{difference:.2f}")
    if gaps:
        table.add_row("mean gap", "", f"{gaps['avg']:.2f}")
    Console().print(table)
    if found["gap_reason"]:
        typer.echo(f"No gap: {found['gap_reason']}.")
