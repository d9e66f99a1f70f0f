"""The kind `transfer`: how well a model's features serve a target task."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping, to_mapping
from expunge.data.facts import Facts
from expunge.errors import DataError, DivergedError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.train import context_for
from expunge.graph.model_files import load_model
from expunge.graph.outcome import divergence, passed_on, write_divergence
from expunge.runs import JSON, checked, read_object, write_json
from expunge.settings import Training, derive_seed
from expunge.tasks import check_task
from expunge.transfer.probe import ProbeConfig

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Dataset, Samples

ACCURACY = "accuracy.json"
PARTS = ("validation", "test")
"""The target's samples to rank by, and those to judge by."""


def check_target(source: Facts, target: Facts) -> None:
    """Refuse target data that a network of the source data cannot take or be judged on.

    Raises:
        DataError: inputs have another form, or there are no validation samples.
    """
    if (source.kind, source.shape) != (target.kind, target.shape):
        raise DataError(
            f"the source {source.name} has {source.kind} of shape {source.shape}, the target "
            f"{target.name} {target.kind} of shape {target.shape}: expected the same; set "
            "image_size and channels of one of them"
        )
    if "validation" not in target.parts:
        raise DataError(
            f"the target {target.name} has no validation samples, and test samples are for judging "
            "only: set validation_fraction or validation_split"
        )


def add_transfer(
    graph: Graph, model_id: str, target_id: str, config: ProbeConfig | Training
) -> str:
    """The accuracy of `model_id` on the target data after a linear probe, or fine-tuning.

    `config` says which: a `ProbeConfig`, or the `Training` of the whole network.

    Raises:
        ConfigError: `model_id` is not a model that classifies.
    """
    graph.model(model_id)
    check_task("transfer", {"classify"}, graph.task_of(model_id))
    origin = graph.node(graph.origin_of(model_id))
    how = "probe" if isinstance(config, ProbeConfig) else "fine_tuning"
    params: dict[str, Any] = {how: to_mapping(config), "threads": origin.params["threads"]}
    if isinstance(config, Training):
        params["seed"] = derive_seed(graph.seed_of(model_id), "transfer")
    parents = {"model": model_id, "target": target_id, "origin": origin.id}
    words = {"probe": "probe", "fine_tuning": "fine-tune"}[how]
    return graph.add("transfer", params, parents, label=f"{words} {model_id} on the target")


def load_transfer(folder: Path) -> dict[str, Any]:
    """What `run` wrote: `accuracy` in percent and `samples` by part, `classes` and `seconds`.

    If the model has diverged, `diverged` is the reason, and there are no numbers.
    """
    reason = divergence(folder)
    if reason is not None:
        return {"diverged": reason}
    return read_object(checked(folder, ACCURACY))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Train on the target's training samples; count what is right on the others."""
    if passed_on(inputs["model"], out):
        return
    target = runtime.dataset(inputs["target"])
    start = time.perf_counter()
    try:
        if "probe" in node.params:
            found = _probe(node, inputs, target, runtime)
        else:
            found = _fine_tune(node, inputs, target, runtime)
    except DivergedError as error:
        write_divergence(out, f"diverged: {node.id} (transfer to the target: {error})")
        return
    seconds = time.perf_counter() - start
    counts: dict[str, JSON] = {}
    accuracy: dict[str, JSON] = {}
    for part in PARTS:
        labels = _part(target, part).labels.numpy()
        counts[part] = len(labels)
        accuracy[part] = 100.0 * int((found[part] == labels).sum()) / len(labels)
    write_json(out / ACCURACY, {"accuracy": accuracy, "samples": counts, "seconds": seconds})


def _probe(
    node: Node, inputs: Inputs, target: Dataset, runtime: Runtime
) -> dict[str, npt.NDArray[np.int64]]:
    """The classes of every part by a linear probe."""
    from expunge.features.extract import features_of
    from expunge.transfer.probe import probe

    model, _, _ = load_model(inputs["model"])
    train, *others = (
        features_of(model, samples, runtime.evaluator, runtime.progress)
        for samples in (target.train, *(_part(target, part) for part in PARTS))
    )
    for each in (train, *others):
        _check_finite(each, "features")
    config = from_mapping(ProbeConfig, node.params["probe"], "probe")
    found = probe(train, target.train.labels.numpy(), others, config)
    return dict(zip(PARTS, found, strict=True))


def _fine_tune(
    node: Node, inputs: Inputs, target: Dataset, runtime: Runtime
) -> dict[str, npt.NDArray[np.int64]]:
    """The classes of every part by the whole network, trained further."""
    import torch

    from expunge.training.fit import fit
    from expunge.training.predict import predict
    from expunge.training.step import task_loss
    from expunge.training.streams import Stream
    from expunge.transfer.head import with_new_head

    model, spec, mask = load_model(inputs["model"])
    seed = int(node.params["seed"])
    training = from_mapping(Training, node.params["fine_tuning"], "fine_tuning")
    context = replace(
        context_for(runtime, inputs["origin"], spec, seed),
        training=training,
        augmentation=training.augmentation,
    )
    (batch,) = target.train.inputs.batches([torch.arange(1)])
    network, head = with_new_head(
        model,
        spec,
        context.task.inputs(batch),
        target.train.num_classes,
        derive_seed(seed, "last layer"),
    )
    body = None if mask is None else {name: each for name, each in mask.items() if name not in head}
    everything = Stream(target.train, torch.arange(len(target.train)))
    context = replace(context, mask=body)
    fit(network, everything, task_loss, training, context, label="fine-tune")
    found = {}
    for part in PARTS:
        outputs = predict(network, _part(target, part), runtime.evaluator)
        _check_finite(outputs.numpy(), "outputs after fine-tuning")
        found[part] = outputs.argmax(1).numpy()
    return found


def _check_finite(values: npt.NDArray[Any], what: str) -> None:
    import numpy as np

    broken = int((~np.isfinite(values)).any(1).sum())
    if broken:
        raise DivergedError(f"the {what} of {broken} of {len(values)} samples are not finite")


def _part(target: Dataset, name: str) -> Samples:
    if name == "test":
        return target.test
    if target.validation is None:
        raise DataError("the target data have no validation samples")
    return target.validation


KIND = Kind(name="transfer", version=1, run=run)
