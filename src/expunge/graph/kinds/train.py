"""The kind `train`: an original model, trained here or adopted from a file of weights."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.callables import working_directory_last
from expunge.config import from_mapping, to_mapping
from expunge.data.facts import Facts
from expunge.errors import CheckpointError, ConfigError, DivergedError
from expunge.graph.adopted_weights import ADOPTION, adopt, weights_digest
from expunge.graph.kind import Inputs, Kind
from expunge.graph.lineage import training_samples, write_forgotten
from expunge.graph.model_files import save_model
from expunge.graph.record import write_record
from expunge.graph.runtime import Runtime, params_of, precision_on
from expunge.models.networks import check_pairing, find_network, is_own, takes_raw, task_of
from expunge.models.spec import ModelSpec, NetworkSettings, spec_for
from expunge.runs import syntax_digest
from expunge.settings import (
    PRECISIONS,
    Training,
    check_augmentation,
    check_choice,
    check_range,
    derive_seed,
)
from expunge.tasks import check_task, get_task

if TYPE_CHECKING:
    from torch import nn

    from expunge.graph.graph import Graph
    from expunge.runs import Node
    from expunge.types import Context, Dataset, Mask

REWIND = "rewind.safetensors"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What an original model is made from; later kinds take its network and training settings."""

    network: NetworkSettings
    training: Training
    seed: int = 0
    precision: str = "32-true"
    """One of `PRECISIONS`."""
    weights: str | None = None
    """A file of weights to adopt instead of training, or for `hf:` a folder of the library's."""
    weights_key: str | None = None
    """Which weights to take from a file that holds several sets of them."""
    expect_accuracy: float | None = None
    """The accuracy in percent that the adopted model should have; it is not adopted with less."""

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)
        for name in ("weights_key", "expect_accuracy"):
            if self.weights is None and getattr(self, name) is not None:
                raise ConfigError(f"{name} is for adopted weights, and there are no weights")
        if self.weights is not None and Path(self.weights).is_dir():
            if not self.network.name.startswith("hf:"):
                raise CheckpointError(
                    f"the weights {self.weights} are a folder, which is for --model hf:FOLDER: "
                    "expected a file"
                )
            if self.weights_key is not None:
                raise ConfigError(f"weights_key is for a file: {self.weights} is a folder")
        if self.expect_accuracy is not None:
            check_range("expect_accuracy", self.expect_accuracy, 0, 100)


@dataclass(frozen=True, kw_only=True)
class Variation:
    """What a second training from the same initialisation does otherwise than the first."""

    order: int = 0
    """Above 0: all that is drawn after the initialisation, such as the order of the samples, is
    drawn anew."""
    forget: str | None = None
    """A forget set to train without."""

    def __post_init__(self) -> None:
        check_range("order", self.order, 0, None)


@dataclass(frozen=True, kw_only=True)
class Together:
    """How training steps run, where that changes the order of sums."""

    devices: int = 1
    """How many devices train together."""
    strategy: str = "auto"
    """How they train together: one of Lightning Fabric's names."""
    compiled: bool = False
    """Whether training steps are compiled."""

    def params(self) -> dict[str, Any]:
        """The part that belongs to a node's id."""
        found: dict[str, Any] = {}
        if self.devices > 1:
            found |= {"devices": self.devices, "strategy": self.strategy}
        if self.compiled:
            found["compiled"] = True
        return found


def check_training(network: NetworkSettings, training: Training, facts: Facts) -> None:
    """Refuse, before anything is made, a network that cannot be trained on the data of `facts`.

    Raises:
        ModelError: no network has this name, or it takes other inputs.
        ConfigError: the training augments inputs that are not images, it does not fit the
            network's task, or the normalisation does not fit the inputs.
    """
    check_pairing(network.name, facts.kind)
    check_augmentation(training.augmentation, facts.kind)
    get_task(task_of(network.name, network.task)).trained_by(training)
    if find_network(network.name).whole and network.normalisation is not None:
        raise ConfigError(
            f"{network.name!r} takes images as they are: leave normalise, mean and std out"
        )
    model_spec(_sizes(network), facts)


def add_train(
    graph: Graph,
    data_id: str,
    origin: Origin,
    together: Together | None = None,
    data_name: str = "",
    variation: Variation | None = None,
) -> str:
    """The original model of `origin` on the data node `data_id`.

    `variation` is what to do otherwise than in this model's training, from the same initialisation.

    Raises:
        CheckpointError: the file of weights cannot be read.
        ModelError: no network has this name, or its configuration cannot be read.
        ConfigError: an accuracy is expected of a model that does not classify.
    """
    together = together or Together()
    params: dict[str, Any] = {
        "network": network_params(with_its_normalisation(origin)),
        "training": to_mapping(origin.training),
        "seed": origin.seed,
        "precision": origin.precision,
        "threads": threads_of(origin.network),
        **together.params(),
    }
    where: dict[str, Any] = {}
    verb = "train"
    if origin.weights is not None:
        if origin.expect_accuracy is not None:
            task = task_of(origin.network.name, origin.network.task)
            check_task("expect_accuracy", {"classify"}, task)
        params["weights"] = weights_digest(Path(origin.weights))
        if origin.weights_key is not None:
            params["weights_key"] = origin.weights_key
        params["adoption"] = ADOPTION
        where = {"weights": origin.weights, "expect_accuracy": origin.expect_accuracy}
        verb = "adopt"
    label = f"{verb} {origin.network.name} on {data_name or 'data'}, seed {origin.seed}"
    parents = {"data": data_id}
    if variation is not None:
        if origin.weights is not None:
            raise ConfigError("adopted weights are not trained, so they cannot be otherwise")
        if variation.order:
            params["order"] = variation.order
            label += f", order {variation.order}"
        if variation.forget is not None:
            parents["forget"] = variation.forget
            label += f", without {graph.node(variation.forget).where['scenario']}"
    return graph.add("train", params, parents, where=where, label=label)


def with_its_normalisation(origin: Origin) -> NetworkSettings:
    """The network of `origin`, with the normalisation of the image processor beside its weights.

    Raises:
        CheckpointError: the image processor's file cannot be read.
    """
    network = origin.network
    if origin.weights is None or network.normalisation or not network.name.startswith("hf:"):
        return network
    from expunge.models.pretrained import normalisation_in

    path = Path(origin.weights)
    found = normalisation_in(path if path.is_dir() else path.parent)
    if found is None or found == "off":
        return replace(network, normalise=found)
    return replace(network, mean=tuple(found["mean"]), std=tuple(found["std"]))


def network_params(network: NetworkSettings) -> dict[str, Any]:
    """What determines a network: its name, sizes and version, and the content behind its name."""
    name = network.name
    params = {**_sizes(network), "version": find_network(name).version}
    if is_own(name):
        with working_directory_last():
            params["code"] = syntax_digest(name)
    elif name.startswith("hf:"):
        from expunge.models.huggingface import configuration_digest

        digest = configuration_digest(name)
        if digest is not None:
            params["code"] = digest
    return params


def _sizes(network: NetworkSettings) -> dict[str, Any]:
    """The settings that determine a network; its normalisation only if it is not the default."""
    params = to_mapping(network)
    for name in ("threads", "normalise", "mean", "std"):
        params.pop(name, None)
    if network.normalisation is not None:
        params["normalisation"] = network.normalisation
    return params


def threads_of(network: NetworkSettings) -> int:
    """Threads to train a network with: those of its settings, else those of its entry."""
    return network.threads if network.threads is not None else find_network(network.name).threads


def model_spec(network: Mapping[str, Any], facts: Facts) -> ModelSpec:
    """A network that fits the data: its classes, inputs and normalisation.

    Raises:
        ConfigError: the normalisation does not fit the inputs.
    """
    # A custom network gets raw inputs, and normalises them itself if it wants to.
    asked = network.get("normalisation", "off" if takes_raw(network["name"]) else "data")
    statistics = None
    if asked == "data":
        statistics = facts.statistics
    elif asked != "off":
        statistics = tuple(asked["mean"]), tuple(asked["std"])
    return spec_for(
        network["name"],
        facts,
        len(facts.class_names),
        stem=network["stem"],
        width=network["width"],
        statistics=statistics,
        task=network.get("task"),
    )


def context_for(runtime: Runtime, origin: Path | Node, spec: ModelSpec, seed: int) -> Context:
    """The context of a computation on a model that descends from `origin`."""
    from expunge.models.build import build
    from expunge.types import Context

    params = params_of(origin) if isinstance(origin, Path) else origin.params
    training = from_mapping(Training, params["training"], "training")
    return Context(
        fabric=runtime.fabric(precision_on(runtime.device, params["precision"])),
        seed=seed,
        rebuild=lambda seed: build(spec, seed=seed),
        training=training,
        augmentation=training.augmentation,
        task=get_task(task_of(spec.name, spec.task)),
        compiled=params.get("compiled", False),
        progress=runtime.progress,
        record_epoch=runtime.course.add,
    )


def in_order(context: Context, order: int) -> Context:
    """A context that makes the same new network, and draws all else anew; for 0, the same."""
    rebuild = context.rebuild
    if not order or rebuild is None:
        return context
    first = derive_seed(context.seed, "initialisation")
    seed = derive_seed(context.seed, f"order {order}")
    return replace(context, seed=seed, rebuild=lambda _: rebuild(first))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Train a network from its initialisation, or adopt weights."""
    from expunge.graph.kinds.forget import load_forget
    from expunge.models.check import check_model, check_storable

    facts = runtime.facts(inputs["data"])
    forgotten = load_forget(inputs["forget"])["ids"] if "forget" in inputs else ()
    dataset = runtime.dataset(inputs["data"], forgotten)
    if forgotten:
        dataset = replace(dataset, train=training_samples(dataset.train, forgotten))
    spec = model_spec(dict(node.params["network"]), facts)
    context = context_for(runtime, node, spec, node.params["seed"])
    context = in_order(context, node.params.get("order", 0))
    model = context.fresh_model()
    check_storable(model)
    about = check_model(model, facts.shape, spec.num_classes, facts.kind, context.task)
    record: dict[str, Any] = {}
    mask: Mask | None = None
    if "weights" in node.params:
        record, mask = adopt(node, runtime, facts, dataset, model, spec)
    else:
        try:
            record = _train(runtime, dataset, model, context, out)
        except DivergedError as error:
            raise DivergedError(f"diverged: {node.id} ({error})") from error
    if about:
        record["notes"] = [*record.get("notes", ()), *about]
    save_model(out, model, spec, mask)
    write_forgotten(out, forgotten)
    write_record(out, record)


def _train(
    runtime: Runtime, dataset: Dataset, model: nn.Module, context: Context, out: Path
) -> dict[str, Any]:
    import torch

    from expunge.metrics.accuracy import accuracy
    from expunge.models.weights import save_weights
    from expunge.training.fit import fit
    from expunge.training.predict import predict
    from expunge.training.step import task_loss
    from expunge.training.streams import Stream

    training = context.training_settings()
    validation: list[float] = []

    def after_epoch(done: int) -> None:
        if done == min(training.rewind_epoch, training.epochs):
            save_weights(model, out / REWIND)
        if dataset.validation is not None and done and context.task.classifies:
            logits = predict(model, dataset.validation, runtime.evaluator)
            validation.append(accuracy(logits.numpy(), dataset.validation.labels.numpy()))

    start = time.perf_counter()
    everything = Stream(dataset.train, torch.arange(len(dataset.train)))
    fit(model, everything, task_loss, training, context, after_epoch=after_epoch)
    return {"seconds": time.perf_counter() - start, "validation_accuracy": validation}


KIND = Kind(name="train", version=1, run=run, is_model=True)
