"""`expunge train`, `prune` and `unlearn`: make one model from data or from another model."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Compiled,
    Device,
    Devices,
    Engine,
    Precision,
    Shard,
    Slurm,
    Store,
    Strategy,
    Workers,
    session,
    show_json,
)
from expunge.cli.output import say, show_table, tell

if TYPE_CHECKING:
    from expunge.cli.session import Session
    from expunge.cli.settings import Flags

Run = Annotated[str, typer.Argument(help="The id of a model in the store, or the start of it.")]
Sparsity = Annotated[
    float | None, typer.Option(help="Share of prunable weights to remove; default: 0.95.")
]
PRUNER_SETTING = "--prune."


def train_settings() -> "Sequence[Flags]":
    """The data, network and training settings that `train` takes besides its own options."""
    from expunge.cli.settings import Flags
    from expunge.data.spec import DataSpec
    from expunge.models.spec import NetworkSettings
    from expunge.settings import Training

    return (
        Flags(
            DataSpec,
            "Data",
            renamed={"seed": "split_seed"},
            left_out=frozenset({"source", "edits"}),
        ),
        Flags(NetworkSettings, "Network", left_out=frozenset({"name"})),
        Flags(Training, "Training; defaults are those usual for the architecture"),
    )


def train(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Option(help="digits, a Hub id, a folder, a file, or package.module:callable."),
    ],
    model: Annotated[
        str,
        typer.Option(
            help="resnet18, swin_t, ..., hf:FOLDER, timm:NAME, or package.module:callable."
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            help="Load this .safetensors, .pt, .pth, .ckpt or .bin file, or for hf: a folder, "
            "instead of training."
        ),
    ] = None,
    weights_key: Annotated[
        str | None,
        typer.Option(help="Which weights to take from a file with several: state_dict_ema, ..."),
    ] = None,
    expect_accuracy: Annotated[
        float | None,
        typer.Option(
            help="The test accuracy in percent that the weights should have; with less they are "
            "not adopted.",
            metavar="PERCENT",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Seed of the initialisation, the sample order and augmentation.")
    ] = 0,
    precision: Precision = "32-true",
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    as_json: AsJson = False,
) -> None:
    """Train an original model, or adopt a trained one. Its settings are the flags listed below."""
    from expunge.cli.settings import read_flags
    from expunge.config import from_mapping, to_mapping
    from expunge.data.facts import resolve
    from expunge.data.places import default_cache
    from expunge.data.spec import DataSpec
    from expunge.graph.kinds.data import add_data
    from expunge.graph.kinds.train import (
        Origin,
        add_train,
        check_training,
        with_its_normalisation,
    )
    from expunge.models.spec import NetworkSettings
    from expunge.models.trainings import training_for
    from expunge.settings import Training

    of_data, of_network, of_training = read_flags(context.args, train_settings(), "train")
    names = of_data.get("class_names", ())
    if len(names) == 1 and names[0].startswith("@"):
        from expunge.data.classes import read_names

        of_data["class_names"] = read_names(Path(names[0][1:]).expanduser())
    spec = from_mapping(DataSpec, {"source": data, **of_data}, "train")
    origin = Origin(
        network=from_mapping(NetworkSettings, {"name": model, **of_network}, "train"),
        training=from_mapping(
            Training, {**to_mapping(training_for(model)), **of_training}, "train"
        ),
        seed=seed,
        precision=precision,
        weights=weights,
        weights_key=weights_key,
        expect_accuracy=expect_accuracy,
    )
    space = session(
        store, device, devices, strategy, compiled, engine, workers, shard=shard, slurm=slurm
    )
    facts = resolve(spec, default_cache())
    check_training(with_its_normalisation(origin), origin.training, facts)
    graph = space.graph()
    data_id = add_data(graph, spec, facts)
    run_id = add_train(graph, data_id, origin, space.together, data)
    if weights is not None and space.leads:
        _caution(facts.held_out, bool(of_training))
    elif space.leads:
        _name_unused_weights(model)
    space.run(graph)
    _finish(space, run_id, None, as_json, _adopted(space, run_id, expect_accuracy))


def _adopted(space: "Session", run_id: str, expected: float | None) -> dict[str, Any]:
    """Print on standard error what was noticed of a model, and how an adopted one was measured.

    Returns the same for JSON.

    Raises:
        CheckpointError: its accuracy is not as expected now, but was adopted before.
    """
    from expunge.graph.adoption import Measured, check_measured
    from expunge.graph.kinds.train import RECORD
    from expunge.runs import checked, read_object

    record = read_object(checked(space.store.path(run_id), RECORD))
    notes = list(record.get("notes", ()))
    if space.leads:
        for note in notes:
            tell(f"note: {note}")
    if "accuracy" not in record:
        return {"notes": notes} if notes else {}
    found = {
        part: Measured.from_json(part, record["accuracy"][part])
        for part in ("test", "train")
        if part in record["accuracy"]
    }
    check_measured(found, expected)
    if space.leads:
        shown = " and ".join(str(each) for each in reversed(found.values()))
        tell(f"adopted: classifies {shown} correctly")
    return {"accuracy": record["accuracy"], "notes": notes}


def _name_unused_weights(model: str) -> None:
    """Print on standard error that weights beside a network's configuration are not loaded."""
    adapter, _, source = model.partition(":")
    if adapter == "hf" and any(Path(source).glob("*.safetensors")):
        tell(
            f"note: the weights in {source} are not used, and training starts from random ones: "
            f"--weights {source} adopts them"
        )


def _caution(held_out: tuple[str, ...], recipe_given: bool) -> None:
    """Print on standard error what the numbers of an adopted model assume."""
    for part in held_out:
        tell(
            f"note: the {part} part is taken from the training data; if the model was trained on "
            "it, results on it are not results on unseen data"
        )
    if not recipe_given:
        tell(
            "note: no training settings were given: Retrain and pruning use the network's "
            "defaults; give those that the model was trained with, such as --epochs 100 --lr 0.1"
        )


def prune(
    context: typer.Context,
    run: Run,
    method: Annotated[str, typer.Option(help="omp, synflow, ...: see expunge methods.")] = "omp",
    sparsity: Sparsity = None,
    store: Store = DEFAULT_STORE,
    engine: Engine = None,
    workers: Workers = None,
    shard: Shard = None,
    slurm: Slurm = None,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    as_json: AsJson = False,
) -> None:
    """Prune a model and retrain it under the mask. Further flags set the pruner: --rewind false."""
    from expunge.graph.kinds.prune import add_prune
    from expunge.graph.kinds.train import RECORD
    from expunge.graph.outcome import check_diverged
    from expunge.runs import checked, read_object

    config = _pruner_config(method, sparsity, context.args)
    space = session(
        store, device, devices, strategy, compiled, engine, workers, shard=shard, slurm=slurm
    )
    graph = space.graph()
    run_id = add_prune(graph, space.store.find(run), method, config, space.together)
    space.run(graph)
    check_diverged(space.store.path(run_id))
    layers = read_object(checked(space.store.path(run_id), RECORD))["layers"]
    if not as_json and space.leads:
        _print_layers(layers)
    _finish(space, run_id, None, as_json, {"layers": layers})


def unlearn(
    context: typer.Context,
    run: Run,
    forget: Annotated[
        str, typer.Option(help="class:3, class:cat, random:0.1 or ids:FILE.", metavar="SCENARIO")
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
    as_json: AsJson = False,
) -> None:
    """Make a model forget. Further flags set the method: --epochs 5 --lr 0.01."""
    from expunge.cli.targets import check_file
    from expunge.config import from_flags
    from expunge.errors import ConfigError, StoreError
    from expunge.graph.kinds.forget import add_forget
    from expunge.graph.kinds.prune import add_prune
    from expunge.graph.kinds.train import RECORD
    from expunge.graph.kinds.unlearn import add_unlearn
    from expunge.graph.outcome import check_diverged
    from expunge.graph.runtime import read_facts
    from expunge.methods import get_method
    from expunge.runs import checked, read_object

    words, pruner_words = _divided(context.args)
    config = from_flags(get_method(method).config, words, f"unlearn {method}")
    if pruner is None and (sparsity is not None or pruner_words):
        raise ConfigError("--sparsity and --prune.SETTING need a pruner: add --prune omp")
    if out is not None and out.suffix not in ("", ".safetensors"):
        raise ConfigError(f"--out {out}: expected a name that ends in .safetensors")
    for path in () if out is None else (out, ids_beside(out)):
        if path.exists():
            raise StoreError(f"{path} already exists: expected a new name; choose another --out")
        check_file(path)
    space = session(
        store, device, devices, strategy, compiled, engine, workers, shard=shard, slurm=slurm
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
        pruning = _pruner_config(pruner, sparsity, pruner_words)
        base = add_prune(graph, base, pruner, pruning, space.together)
    run_id = add_unlearn(graph, base, forget_id, method, config, space.together)
    space.run(graph)
    folder = space.store.path(run_id)
    check_diverged(folder)
    notes = read_object(checked(folder, RECORD)).get("notes", [])
    for note in notes if space.leads else []:
        tell(f"note: {note}")
    found = {"unlearned_from": base, "notes": notes}
    if out is not None:
        found["ids"] = str(ids_beside(out))
    _finish(space, run_id, out, as_json, found)
    if out is not None and space.leads:
        _write_ids(space, forget_id, ids_beside(out))


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
    from expunge.scenarios.id_file import csv_of_ids

    ids = load_forget(space.store.path(forget_id))["ids"]
    with replacing(path) as aside:
        aside.write_text(csv_of_ids(ids), encoding="utf-8", newline="")
    tell(f"note: the ids of the {len(ids)} forgotten samples are in {path}")


def _divided(words: list[str]) -> tuple[list[str], list[str]]:
    """The arguments for the method, and those for the pruner without their `prune.`."""
    method: list[str] = []
    pruner: list[str] = []
    current = method
    for word in words:
        if word.startswith(PRUNER_SETTING):
            current = pruner
            current.append("--" + word.removeprefix(PRUNER_SETTING))
            continue
        if word.startswith("--"):
            current = method
        current.append(word)
    return method, pruner


def _pruner_config(pruner: str, sparsity: float | None, words: list[str]) -> Any:
    """The pruner's settings from the command line."""
    from expunge.config import from_mapping, parse_flags
    from expunge.sparsity import get_pruner

    cls = get_pruner(pruner).config
    given = parse_flags(cls, words, f"prune {pruner}")
    if sparsity is not None:
        given["sparsity"] = sparsity
    return from_mapping(cls, given, f"prune {pruner}")


def _print_layers(layers: list[dict[str, Any]]) -> None:
    """Print the sparsity of every layer on standard error; standard output is the run's id."""
    from rich.table import Table

    table = Table(header_style="bold")
    table.add_column("layer", overflow="fold")
    for column in ("weights", "kept", "sparsity"):
        table.add_column(column, justify="right")
    for layer in layers:
        table.add_row(
            layer["name"], str(layer["total"]), str(layer["kept"]), f"{layer['sparsity']:.2%}"
        )
    show_table(table, stderr=True)


def _write_weights(space: "Session", run_id: str, out: Path) -> None:
    """Write a run's weights, with the names that those of its original model had."""
    from expunge.graph.kinds.train import RECORD
    from expunge.graph.model_files import WEIGHTS, load_model
    from expunge.runs import checked, read_object

    path = space.store.path(run_id)
    origin = space.store.path(space.graph().origin_of(run_id))
    if not read_object(checked(origin, RECORD)).get("inner"):
        shutil.copyfile(checked(path, WEIGHTS), out)
        return
    from expunge.models.weights import save_inner_weights

    save_inner_weights(load_model(path)[0], out)


def _write_folder(space: "Session", run_id: str, out: Path) -> None:
    """Write a run's network as the library transformers does."""
    from expunge.graph.model_files import load_model
    from expunge.models.pretrained import save_pretrained

    model, spec, _ = load_model(space.store.path(run_id))
    for note in save_pretrained(model, spec, out):
        tell(f"note: {note}")


def _finish(
    space: "Session", run_id: str, out: Path | None, as_json: bool, found: dict[str, Any]
) -> None:
    """Copy a run's weights to `out` if asked, and print its id."""
    from expunge.atomic import creating, making
    from expunge.errors import StoreError

    path = space.store.path(run_id)
    if out is not None and space.leads:
        writing, write = (creating, _write_weights) if out.suffix else (making, _write_folder)
        try:
            with writing(out) as aside:
                write(space, run_id, aside)
        except OSError as error:
            raise StoreError(
                f"cannot write {out} ({error.strerror}); the model is {run_id} in the store"
            ) from error
    if as_json:
        written = None if out is None else str(out)
        show_json({"run": run_id, "path": str(path), "out": written, **found})
    else:
        say(run_id)
