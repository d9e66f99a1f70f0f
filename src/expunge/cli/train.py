"""`expunge train`: train an original model, or adopt one that was trained elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.made import show_made
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
    Track,
    Workers,
    session,
)
from expunge.cli.output import tell

if TYPE_CHECKING:
    from expunge.cli.session import Session
    from expunge.cli.settings import Flags


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
    track: Track = None,
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
    from expunge.settings import Training, check_range

    check_range("seed", seed, 0, None)
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
    show_made(space, run_id, as_json, _adopted(space, run_id, expect_accuracy))


def _adopted(space: "Session", run_id: str, expected: float | None) -> dict[str, Any]:
    """Print on standard error what was noticed of a model, and how an adopted one was measured.

    Returns the same for JSON.

    Raises:
        CheckpointError: its accuracy is not as expected now, but was adopted before.
    """
    from expunge.graph.adoption import Measured, check_measured
    from expunge.graph.record import load_record

    record = load_record(space.store.path(run_id))
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
