"""The stage `train`: an original model, trained here or adopted from a file of weights."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from expunge.bench.experiment import Network
from expunge.bench.stages.model import save_model
from expunge.bench.stages.stage import Stage
from expunge.bench.workspace import Workspace
from expunge.config import from_mapping, to_mapping
from expunge.data.spec import DataSpec
from expunge.data.statistics import input_statistics
from expunge.errors import CheckpointError, ConfigError, DataError
from expunge.metrics.accuracy import accuracy
from expunge.models.build import build
from expunge.models.check import check_outputs
from expunge.models.huggingface import configuration_digest
from expunge.models.networks import is_own
from expunge.models.spec import ModelSpec, spec_for
from expunge.models.weights import load_weights, save_weights
from expunge.runs import Spec, code_version, write_json
from expunge.settings import Recipe
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.types import Context, Dataset

REWIND = "rewind.safetensors"
RECORD = "record.json"
STAGE_CODE = ("expunge.bench.stages.train", "expunge.bench.stages.model")
"""What every stage that makes a model runs besides the code it names."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where an original model comes from; every later stage finds its data and recipe here."""

    data: DataSpec
    network: Network
    training: Recipe
    seed: int = 0
    precision: str = "32-true"
    weights: str | None = None
    """A file of weights to adopt instead of training."""


def train_stage(workspace: Workspace, origin: Origin) -> Stage:
    """The original model of `origin`.

    Raises:
        DataError: the data cannot be read.
        CheckpointError: the file of weights cannot be read.
        ModelError: the network's configuration cannot be read.
    """
    settings: dict[str, Any] = {
        **to_mapping(origin),
        "fingerprint": fingerprint(workspace.data(origin.data)),
        **surroundings(workspace, origin),
    }
    if origin.weights is not None:
        settings["weights_digest"] = _digest(Path(origin.weights))
    spec = Spec(
        kind="train",
        settings=settings,
        parents={},
        code=code_version(
            "expunge.training.fit",
            "expunge.models.build",
            "expunge.models.weights",
            "expunge.data.statistics",
            alone=STAGE_CODE,
        ),
    )
    verb = "train" if origin.weights is None else "adopt"
    label = f"{verb} {origin.network.name} on {origin.data.source}, seed {origin.seed}"
    return Stage(spec, label, lambda folder: _make(workspace, origin, folder))


def origin_of(workspace: Workspace, run_id: str) -> Origin:
    """The origin of a model in the store: that of the training it descends from."""
    spec = workspace.spec(run_id)
    while spec.kind != "train":
        spec = workspace.spec(spec.parents["model"])
    names = Origin.__dataclass_fields__
    given: dict[str, Any] = {k: value for k, value in spec.settings.items() if k in names}
    return from_mapping(
        Origin,
        {
            **given,
            "data": from_mapping(DataSpec, given["data"], "data"),
            "network": from_mapping(Network, given["network"], "network"),
            "training": from_mapping(Recipe, given["training"], "training"),
        },
        spec.id,
    )


def dataset_of(workspace: Workspace, run_id: str) -> Dataset:
    """The data that a model in the store descends from.

    Raises:
        DataError: what lies there now is not what the model was trained on.
    """
    dataset = workspace.data(origin_of(workspace, run_id).data)
    spec = workspace.spec(run_id)
    while spec.kind != "train":
        spec = workspace.spec(spec.parents["model"])
    if (found := fingerprint(dataset)) != spec.settings["fingerprint"]:
        raise DataError(
            f"the data of {run_id} has changed since it was trained (fingerprint "
            f"{spec.settings['fingerprint']} then, {found} now): put the old data back, or train "
            "again"
        )
    return dataset


def surroundings(workspace: Workspace, origin: Origin) -> dict[str, Any]:
    """What a stage on a model of `origin` depends on besides its settings, parents and code.

    Raises:
        ModelError: the network's configuration cannot be read.
    """
    found: dict[str, Any] = {"device": workspace.device}
    # The same mathematics, but sums are taken in another order.
    if workspace.devices > 1:
        found |= {"devices": workspace.devices, "strategy": workspace.strategy}
    if workspace.compiled:
        found["compiled"] = True
    if (network := _network_digest(origin.network.name)) is not None:
        found["network_digest"] = network
    return found


def fingerprint(dataset: Dataset) -> str:
    """Hex digest of all that a run trains and tests on."""
    parts = (dataset.train, dataset.validation, dataset.test)
    text = " ".join("-" if part is None else part.fingerprint for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def model_spec(origin: Origin, dataset: Dataset) -> ModelSpec:
    """The network of `origin`, as the data needs it: classes, channels, normalisation."""
    # A network of one's own sees images in 0-1 and normalises them itself, if it wants to.
    own = is_own(origin.network.name)
    return spec_for(
        origin.network.name,
        dataset.train.inputs,
        dataset.train.num_classes,
        stem=origin.network.stem,  # type: ignore[arg-type]
        width=origin.network.width,
        statistics=None if own else input_statistics(dataset.train),
    )


def context_for(workspace: Workspace, origin: Origin, spec: ModelSpec, seed: int) -> Context:
    """What a stage on a model of `origin` runs in."""
    return Context(
        fabric=workspace.fabric(origin.precision),
        seed=seed,
        rebuild=lambda seed: build(spec, seed=seed),
        recipe=origin.training,
        augmentation=origin.training.augmentation,
        compiled=workspace.compiled,
        progress=workspace.progress,
    )


def _make(workspace: Workspace, origin: Origin, folder: Path) -> None:
    dataset = workspace.data(origin.data)
    spec = model_spec(origin, dataset)
    context = context_for(workspace, origin, spec, origin.seed)
    model = context.fresh_model()
    inputs = dataset.train.inputs
    check_outputs(model, inputs.shape, spec.num_classes, inputs.kind)
    record: dict[str, Any] = {}
    if origin.weights is None:
        record = _train(workspace, origin, dataset, model, context, folder)
    else:
        load_weights(model, Path(origin.weights))
    save_model(folder, model, spec, None)
    write_json(folder / RECORD, record)


def _train(
    workspace: Workspace,
    origin: Origin,
    dataset: Dataset,
    model: nn.Module,
    context: Context,
    folder: Path,
) -> dict[str, Any]:
    validation: list[float] = []

    def after_epoch(done: int) -> None:
        if done == min(origin.training.rewind_epoch, origin.training.epochs):
            save_weights(model, folder / REWIND)
        if dataset.validation is not None and done:
            logits = predict(model, dataset.validation, workspace.evaluator)
            validation.append(accuracy(logits.numpy(), dataset.validation.labels.numpy()))

    start = time.perf_counter()
    everything = torch.arange(len(dataset.train))
    fit(model, dataset.train, everything, origin.training, context, after_epoch=after_epoch)
    return {"seconds": time.perf_counter() - start, "validation_accuracy": validation}


def _network_digest(name: str) -> str | None:
    """What stands behind a network's name where the name does not say it all."""
    if not is_own(name):
        return configuration_digest(name)
    try:
        return code_version(name.partition(":")[0])
    except ConfigError:
        return None  # no such module: building it says so


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError as error:
        raise CheckpointError(f"cannot read the weights {path}: {error.strerror}") from None
