"""`expunge runs`: list, show and remove finished runs."""

from typing import Annotated

import typer

from expunge.cli.options import DEFAULT_STORE, AsJson, Store, show_json
from expunge.cli.output import console, say, tell, write

Run = Annotated[str, typer.Argument(help="A run's id, or the start of it.")]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command("list", epilog="Example: expunge runs list --store demo/runs")
def list_runs(
    store: Store = DEFAULT_STORE,
    everything: Annotated[
        bool, typer.Option("--all", help="Also list forget sets, predictions and measurements.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List finished runs, oldest first; --json lists all."""
    from shutil import get_terminal_size

    from expunge.cli.run_list import describe_runs, line
    from expunge.graph.kinds import KINDS
    from expunge.runs import Store as RunStore

    runs = RunStore(store)
    described = list(describe_runs(runs, runs.list()))
    if as_json:
        show_json(
            [
                {
                    "id": run.id,
                    "kind": run.kind,
                    "created": run.created,
                    "bytes": run.size_bytes,
                    "label": run.label,
                    **about,
                    "problem": run.problem,
                }
                for run, about in described
            ]
        )
        return
    width = get_terminal_size().columns
    minor = {name for name, kind in KINDS.items() if kind.minor}
    hidden = 0
    for run, about in described:
        if everything or run.problem or run.kind not in minor:
            say(line(run, about, width))
        else:
            hidden += 1
    if hidden:
        tell(f"and {hidden} forget sets, predictions and measurements: --all lists them")


@app.command("show", epilog="Example: expunge runs show train-1a2b")
def show_run(
    run: Run,
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
    from rich.pretty import Pretty

    # Whole lines: a broken id cannot be copied.
    console().print(Pretty(entry, expand_all=True), soft_wrap=True)


@app.command("ids", epilog="Example: expunge runs ids unlearn-1a2b > forgotten.csv")
def show_ids(
    run: Run,
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
        write(csv_of_ids(chosen["ids"]))


@app.command("remove", epilog="Example: expunge runs remove train-1a2b --dependants")
def remove_run(
    run: Run,
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
            say(f"removed {run_id}")
