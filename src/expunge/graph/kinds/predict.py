"""The kind `predict`: logits of one model on one population, so that metrics need no model."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError, DivergedError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.train import Together
from expunge.graph.lineage import forgotten_by
from expunge.graph.model_files import load_model
from expunge.graph.outcome import check_diverged, divergence, write_divergence
from expunge.methods import get_method
from expunge.runs import checked, read_arrays, write_arrays
from expunge.tasks import check_task

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

PREDICTIONS = "predictions.safetensors"


def add_predict(
    graph: Graph,
    model_id: str,
    population: str,
    together: Together | None = None,
    gone: Collection[str] = (),
) -> str:
    """The logits of `model_id` on `population`: `train`, `test`, `validation` or `triggered`.

    `gone` are ids that a later model has forgotten: the data may lack them, too.

    Raises:
        ConfigError: `model_id` is not a model that classifies, or its data have no triggered
            samples.
    """
    graph.model(model_id)
    check_task("a prediction", {"classify"}, graph.task_of(model_id))
    if population == "triggered":
        _check_trigger(graph.node(graph.data_of(model_id)))
    origin = graph.node(graph.origin_of(model_id))
    # Evaluation is never compiled.
    devices = {
        name: value
        for name, value in (together or Together()).params().items()
        if name != "compiled"
    }
    params = {"population": population, "threads": origin.params["threads"], **devices}
    parents = {"model": model_id, "data": graph.data_of(model_id)}
    where = {"gone": list(gone)} if gone else {}
    label = f"predict {population} with {model_id}"
    return graph.add("predict", params, parents, where=where, label=label)


def _check_trigger(data: Node) -> None:
    from expunge.data.edits.apply import triggering

    edits = data.params.get("edits", {})
    if triggering({name: edit["config"] for name, edit in edits.items()}) is None:
        raise ConfigError(
            "the data have no triggered samples: add an edit that has a trigger, such as "
            "[data.edits.badnets]"
        )


def load_predictions(folder: Path) -> dict[str, Any]:
    """`logits` `(N, classes)`, `labels` `(N,)` and `rows` `(N,)` of the predictions in a folder.

    `rows` are ascending positions in the data node's list of ids; samples that the data lack have
    none.

    Raises:
        DivergedError: the folder holds the reason why there are no predictions.
    """
    check_diverged(folder)
    return dict(read_arrays(checked(folder, PREDICTIONS)))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Every sample of the population once, without augmentation, in float32.

    If the model has diverged, the reason stands in place of the predictions.

    Raises:
        DivergedError: the outputs of an original model are not finite.
    """
    import numpy as np

    from expunge.data.populations import population_of
    from expunge.graph.kinds.data import spec_at
    from expunge.runs import read_artefact
    from expunge.training.predict import predict

    reason = divergence(inputs["model"])
    if reason is not None:
        write_divergence(out, reason)
        return
    population = str(node.params["population"])
    forgotten = (*forgotten_by(inputs["model"]), *runtime.where(node).get("gone", ()))
    dataset = runtime.dataset(inputs["data"], forgotten)
    spec = spec_at(runtime.where(read_artefact(inputs["data"]).node))
    samples = population_of(dataset, population, spec)
    part = runtime.facts(inputs["data"]).parts["test" if population == "triggered" else population]
    place = {name: row for row, name in enumerate(part.ids)}
    model, _, _ = load_model(inputs["model"])
    label = f"predict {population}"
    logits = predict(model, samples, runtime.evaluator, label=label, progress=runtime.progress)
    broken = int((~logits.isfinite()).flatten(1).any(1).sum())
    if broken:
        made = read_artefact(inputs["model"]).node
        reason = _diverged(made, f"{broken} of {len(logits)} {population} samples")
        if "origin" not in made.parents:
            raise DivergedError(reason)
        write_divergence(out, reason)
        return
    arrays = {
        "logits": logits.numpy(),
        "labels": samples.labels.numpy(),
        "rows": np.array([place[name] for name in samples.ids], dtype=np.int64),
    }
    write_arrays(out / PREDICTIONS, arrays)


def _diverged(made: Node, samples: str) -> str:
    """The reason why a model has no predictions."""
    if "method" in made.params:
        method = get_method(made.params["method"])
        what, milder = method.name, method.milder
    else:
        what, milder = made.kind, "lower the learning rate of the training"
    return f"diverged: {made.id} ({what}: the outputs for {samples} are not finite: {milder})"


KIND = Kind(name="predict", version=1, run=run, minor=True)
