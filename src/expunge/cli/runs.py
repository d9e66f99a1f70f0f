"""`expunge runs`: list, show and remove finished runs."""

from typing import Annotated

import typer

from expunge.cli.options import DEFAULT_STORE, AsJson, Store, show_json

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command("list", epilog="Example: expunge runs list --store demo/runs")
def list_runs(store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """List finished runs, oldest first."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from expunge.runs import Store as RunStore

    runs = RunStore(store).list()
    if as_json:
        show_json(
            [
                {
                    "id": run.id,
                    "kind": run.kind,
                    "created": run.created,
                    "bytes": run.size_bytes,
                    "label": run.label,
                    "problem": run.problem,
                }
                for run in runs
            ]
        )
        return
    table = Table(header_style="bold")
    for column in ("run", "made", "MB", "what"):
        # An id broken over two lines cannot be copied.
        whole = column in ("run", "MB")
        table.add_column(
            column,
            justify="right" if column == "MB" else "left",
            overflow="fold",
            no_wrap=whole,
        )
    for run in runs:
        # Brackets in a label are not markup.
        what = escape(run.problem or run.label)
        table.add_row(run.id, run.created, f"{run.size_bytes / 1e6:.1f}", what)
    Console().print(table)


@app.command("show", epilog="Example: expunge runs show train-1a2b")
def show_run(
    run: Annotated[str, typer.Argument(help="A run's id, or the start of it.")],
    store: Store = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """Show a run's settings, parents and files, and what made it."""
    from expunge.runs import Store as RunStore

    runs = RunStore(store)
    run_id = runs.find(run)
    artefact = runs.open(run_id)
    node = artefact.node
    entry = {
        "run": run_id,
        "label": artefact.label,
        "path": str(artefact.folder),
        "created": artefact.created,
        "version": node.version,
        "params": dict(node.params),
        "parents": dict(node.parents),
        "where": dict(node.where),
        "files": list(artefact.files),
        "made": dict(artefact.made),
    }
    if as_json:
        show_json(entry)
        return
    from rich.console import Console
    from rich.pretty import Pretty

    Console().print(Pretty(entry, expand_all=True))


@app.command("ids", epilog="Example: expunge runs ids unlearn-1a2b > forgotten.csv")
def show_ids(
    run: Annotated[str, typer.Argument(help="A run's id, or the start of it.")],
    store: Store = DEFAULT_STORE,
    as_json: AsJson = False,
) -> None:
    """List the ids of the samples that a run was asked to forget, as a CSV file for ids:FILE."""
    from expunge.errors import ConfigError
    from expunge.graph.kinds.forget import load_forget
    from expunge.runs import Store as RunStore
    from expunge.scenarios.id_file import csv_of_ids

    runs = RunStore(store)
    node = runs.node(runs.find(run))
    forget = node.id if node.kind == "forget" else node.parents.get("forget")
    if forget is None:
        raise ConfigError(f"{node.id} has unlearned nothing: expected an unlearned model")
    chosen = load_forget(runs.path(forget))
    if as_json:
        show_json({"run": node.id, "scenario": chosen["scenario"], "ids": chosen["ids"]})
    else:
        typer.echo(csv_of_ids(chosen["ids"]), nl=False)


@app.command("remove", epilog="Example: expunge runs remove train-1a2b --dependants")
def remove_run(
    run: Annotated[str, typer.Argument(help="A run's id, or the start of it.")],
    store: Store = DEFAULT_STORE,
    dependants: Annotated[
        bool, typer.Option("--dependants", help="Also remove what was made from it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a run from the store."""
    from expunge.runs import Store as RunStore

    runs = RunStore(store)
    removed = runs.remove(runs.find(run), dependants=dependants)
    if as_json:
        show_json({"removed": list(removed)})
    else:
        for run_id in removed:
            typer.echo(f"removed {run_id}")
