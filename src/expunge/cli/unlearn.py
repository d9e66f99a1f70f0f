"""`expunge unlearn`: make a model forget, and list what it has forgotten."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expunge.cli.made import show_made, write_out
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
from expunge.cli.output import tell
from expunge.cli.prune import pruner_config
from expunge.cli.settings import by_prefix

if TYPE_CHECKING:
    from expunge.cli.session import Session


def unlearn(
    context: typer.Context,
    run: Model,
    forget: Annotated[
        str,
        typer.Option(help="class:3, random:0.1, ids:FILE, suspected:strip.", metavar="SCENARIO"),
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
            help="Also write the unlearned weights here: NAME.safetensors, or for hf: a folder."
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
    """Make a model forget. Further flags set the method: --epochs 5 --lr 0.01."""
    from expunge.cli.targets import check_new_file
    from expunge.config import from_flags
    from expunge.errors import ConfigError
    from expunge.graph.kinds.correct import add_answer
    from expunge.graph.kinds.forget import add_forget
    from expunge.graph.kinds.prune import add_prune
    from expunge.graph.outcome import check_diverged
    from expunge.graph.record import load_record
    from expunge.graph.runtime import read_facts
    from expunge.methods import get_method

    words, pruner_words = by_prefix(context.args, ["prune"]).values()
    config = from_flags(get_method(method).config, words, f"unlearn {method}")
    if pruner is None and (sparsity is not None or pruner_words):
        raise ConfigError("--sparsity and --prune.SETTING need a pruner: add --prune omp")
    if out is not None and out.suffix not in ("", ".safetensors"):
        raise ConfigError(f"--out {out}: expected a name that ends in .safetensors")
    for path in () if out is None else (out, ids_beside(out)):
        check_new_file(path)
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
    base = space.store.find(run)
    if out is not None and not out.suffix:
        network = graph.node(graph.origin_of(base)).params["network"]["name"]
        if not network.startswith("hf:"):
            raise ConfigError(
                f"--out {out}: expected a name that ends in .safetensors; a folder is for networks "
                f"of the library transformers (hf:), and this is {network}"
            )
    # Refuse a forget set that does not fit before hours of pruning, not after.
    facts = read_facts(space.store.path(graph.data_of(graph.model(base).id)))
    forget_id = add_forget(graph, base, forget, facts=facts)
    if pruner is not None:
        pruning = pruner_config(pruner, sparsity, pruner_words)
        base = add_prune(graph, base, pruner, pruning, space.together)
    run_id = add_answer(graph, base, forget_id, method, config, space.together)
    space.run(graph)
    folder = space.store.path(run_id)
    check_diverged(folder)
    notes = load_record(folder).get("notes", [])
    for note in notes if space.leads else []:
        tell(f"note: {note}")
    found = {"unlearned_from": base, "notes": notes}
    if out is not None:
        found["ids"] = str(ids_beside(out))
        if space.leads:
            write_out(space, run_id, out)
            _write_ids(space, forget_id, ids_beside(out))
    show_made(space, run_id, as_json, found, out)


def ids_beside(out: Path) -> Path:
    """The file that lists what the model in the file `out` has forgotten.

    >>> ids_beside(Path("forgotten.safetensors"))
    PosixPath('forgotten.ids.csv')
    """
    return out.with_suffix(".ids.csv")


def _write_ids(space: "Session", forget_id: str, path: Path) -> None:
    """List the ids of a forget set in a file, and say so."""
    from expunge.atomic import replacing
    from expunge.graph.kinds.forget import load_forget
    from expunge.scenarios import corrects
    from expunge.scenarios.id_file import csv_of_ids

    found = load_forget(space.store.path(forget_id))
    ids = found["ids"]
    chosen = "corrected" if corrects(found["scenario"]) else "forgotten"
    with replacing(path) as aside:
        aside.write_text(csv_of_ids(ids), encoding="utf-8", newline="")
    tell(f"note: the ids of the {len(ids)} {chosen} samples are in {path}")
