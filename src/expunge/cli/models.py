"""`expunge train`, `prune` and `unlearn`: one model from data or from another model."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expunge.cli.options import (
    DEFAULT_STORE,
    AsJson,
    Compiled,
    Device,
    Devices,
    Precision,
    Store,
    Strategy,
    show_json,
    workspace,
)

if TYPE_CHECKING:
    from expunge.bench.stages import Stage
    from expunge.bench.workspace import Workspace

Run = Annotated[str, typer.Argument(help="A model in the store: its id, or how it begins.")]
Sparsity = Annotated[
    float | None, typer.Option(help="Share of prunable weights to remove; 0.95 unless told.")
]
PRUNER_SETTING = "--prune."


def train(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Option(help="digits, a hub id, a folder, an .npz file, or package.module:callable."),
    ],
    model: Annotated[
        str,
        typer.Option(
            help="resnet18, swin_t, ..., hf:FOLDER, timm:NAME, or package.module:callable."
        ),
    ],
    stem: Annotated[
        str, typer.Option(help="cifar for small images, imagenet for large.")
    ] = "cifar",
    width: Annotated[float, typer.Option(help="Multiplies the number of channels.")] = 1.0,
    weights: Annotated[
        str | None, typer.Option(help="Adopt this .safetensors or .pt file instead of training.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of initialisation, order and augmentation.")] = 0,
    split_seed: Annotated[int, typer.Option(help="Of the division into parts.")] = 0,
    config: Annotated[str | None, typer.Option(help="A hub dataset's configuration.")] = None,
    image_column: Annotated[str | None, typer.Option(help="Default: found.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Default: found.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Default: a hash of the image.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Resize and crop to a square.")] = None,
    train_split: Annotated[str | None, typer.Option(help="Default: train.")] = None,
    test_split: Annotated[str | None, typer.Option(help="Default: test, else validation.")] = None,
    test_fraction: Annotated[float, typer.Option(help="Where there is no test part.")] = 0.2,
    validation_fraction: Annotated[float, typer.Option(help="Held out of training.")] = 0.0,
    train_limit: Annotated[int | None, typer.Option(help="Use this many, of all classes.")] = None,
    test_limit: Annotated[int | None, typer.Option(help="Use this many, of all classes.")] = None,
    precision: Precision = "32-true",
    store: Store = DEFAULT_STORE,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    as_json: AsJson = False,
) -> None:
    """Train an original model, or adopt one. Further words set the recipe: --epochs 20 --lr 0.1.

    What they do not set is as the architecture's recipe has it.
    """
    from expunge.bench.experiment import Network
    from expunge.bench.stages import Origin, train_stage
    from expunge.bench.workspace import precision_on
    from expunge.config import from_mapping, parse_flags, to_mapping
    from expunge.data.spec import DataSpec
    from expunge.models.recipes import recipe_for
    from expunge.settings import Recipe

    given = parse_flags(Recipe, context.args, "train")
    recipe = from_mapping(Recipe, {**to_mapping(recipe_for(model)), **given}, "train")
    space = workspace(store, device, devices, strategy, compiled)
    origin = Origin(
        data=DataSpec(
            source=data,
            config=config,
            image_column=image_column,
            label_column=label_column,
            id_column=id_column,
            image_size=image_size,
            train_split=train_split,
            test_split=test_split,
            test_fraction=test_fraction,
            validation_fraction=validation_fraction,
            train_limit=train_limit,
            test_limit=test_limit,
            seed=split_seed,
        ),
        network=Network(name=model, stem=stem, width=width),
        training=recipe,
        seed=seed,
        precision=precision_on(space.device, precision),
        weights=weights,
    )
    stage = train_stage(space, origin)
    if weights is not None and space.leads:
        _caution(space.data(origin.data).held_out, bool(given))
    _finish(space, stage, None, as_json, {})


def _caution(held_out: tuple[str, ...], recipe_given: bool) -> None:
    """What an adopted model's numbers rest on, where nobody said otherwise; on standard error."""
    for part in held_out:
        typer.echo(
            f"note: the {part} part is taken from the training data; if the model was trained on "
            "it, what is measured there is not of unseen data",
            err=True,
        )
    if not recipe_given:
        typer.echo(
            "note: no recipe was given: Retrain and pruning train by the network's default one; "
            "give the words of the model's own, such as --epochs 100 --lr 0.1",
            err=True,
        )


def prune(
    context: typer.Context,
    run: Run,
    method: Annotated[str, typer.Option(help="omp, synflow, ...: see expunge methods.")] = "omp",
    sparsity: Sparsity = None,
    store: Store = DEFAULT_STORE,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    as_json: AsJson = False,
) -> None:
    """Prune a model and train it again under the mask. Further words are the pruner's settings."""
    from expunge.bench.stages import ensure, prune_stage
    from expunge.bench.stages.prune import load_record

    config = _pruner_config(method, sparsity, context.args)
    space = workspace(store, device, devices, strategy, compiled)
    stage = prune_stage(space, space.store.find(run), method, config)
    layers = load_record(space, ensure(space, stage))["layers"]
    if not as_json and space.leads:
        _print_layers(layers)
    _finish(space, stage, None, as_json, {"layers": layers})


def unlearn(
    context: typer.Context,
    run: Run,
    forget: Annotated[
        str, typer.Option(help="class:3, class:cat, random:0.1 or ids:FILE.", metavar="SCENARIO")
    ],
    method: Annotated[str, typer.Option(help="ft, ga, ...: see expunge methods.")] = "ft",
    pruner: Annotated[
        str | None,
        typer.Option("--prune", help="Prune first: omp, ... Its settings: --prune.rewind false."),
    ] = None,
    sparsity: Sparsity = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the unlearned weights here too (.safetensors).")
    ] = None,
    store: Store = DEFAULT_STORE,
    device: Device = "auto",
    devices: Devices = 1,
    strategy: Strategy = "auto",
    compiled: Compiled = False,
    as_json: AsJson = False,
) -> None:
    """Make a model forget. Further words are the method's settings: --epochs 5 --lr 0.01."""
    from expunge.bench.stages import ensure, prune_stage, unlearn_stage
    from expunge.bench.stages.unlearn import split_for
    from expunge.config import from_flags
    from expunge.errors import ConfigError, StoreError
    from expunge.methods import get_method

    words, pruner_words = _divided(context.args)
    config = from_flags(get_method(method).config, words, f"unlearn {method}")
    if pruner is None and (sparsity is not None or pruner_words):
        raise ConfigError("--sparsity and --prune.SETTING need a pruner: add --prune omp")
    if out is not None and out.suffix != ".safetensors":
        raise ConfigError(f"--out {out}: expected a name that ends in .safetensors")
    if out is not None and out.exists():
        raise StoreError(f"{out} exists already: expected a new file; choose another --out")
    space = workspace(store, device, devices, strategy, compiled)
    base = space.store.find(run)
    if pruner is not None:
        pruning = _pruner_config(pruner, sparsity, pruner_words)
        # A forget set that does not fit is refused before hours of pruning, not after.
        split_for(space, base, forget)
        base = ensure(space, prune_stage(space, base, pruner, pruning))
    stage = unlearn_stage(space, base, forget, method, config)
    _finish(space, stage, out, as_json, {"unlearned_from": base})


def _divided(words: list[str]) -> tuple[list[str], list[str]]:
    """The words that set the method, and those that set the pruner, without their `prune.`."""
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
    """The sparsity of every layer, on standard error: standard output is the run's id."""
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="bold")
    table.add_column("layer", overflow="fold")
    for column in ("weights", "kept", "sparsity"):
        table.add_column(column, justify="right")
    for layer in layers:
        table.add_row(
            layer["name"], str(layer["total"]), str(layer["kept"]), f"{layer['sparsity']:.2%}"
        )
    Console(stderr=True).print(table)


def _finish(
    space: "Workspace", stage: "Stage", out: Path | None, as_json: bool, found: dict[str, Any]
) -> None:
    """Make the stage's artefact, copy its weights out if asked, and say where it is."""
    from expunge.bench.stages import ensure
    from expunge.bench.stages.model import WEIGHTS

    run_id = ensure(space, stage)
    path = space.store.path(run_id)
    if out is not None:
        partial = out.with_name(out.name + ".partial")
        shutil.copyfile(path / WEIGHTS, partial)
        partial.rename(out)
    if as_json:
        written = None if out is None else str(out)
        show_json({"run": run_id, "path": str(path), "out": written, **found})
    else:
        typer.echo(run_id)
