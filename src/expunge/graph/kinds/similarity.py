"""The kind `similarity`: how near source classes are to a target task, by a model's features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from expunge.graph.kind import Inputs, Kind
from expunge.graph.lineage import forgotten_by, training_samples
from expunge.graph.model_files import load_model
from expunge.graph.outcome import check_diverged
from expunge.runs import checked, read_object, write_json
from expunge.tasks import check_task

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

SIMILARITY = "similarity.json"


def add_similarity(graph: Graph, model_id: str, target_id: str) -> str:
    """The similarity of each source class of `model_id` to the target data.

    Raises:
        ConfigError: `model_id` is not a model that classifies.
    """
    graph.model(model_id)
    check_task("similarity of classes", {"classify"}, graph.task_of(model_id))
    origin = graph.node(graph.origin_of(model_id))
    params = {"threads": origin.params["threads"]}
    parents = {"model": model_id, "target": target_id, "data": graph.data_of(model_id)}
    label = f"similarity of source classes to the target, {model_id}"
    return graph.add("similarity", params, parents, label=label)


def load_similarity(folder: Path) -> list[float]:
    """One number for each source class.

    Raises:
        DivergedError: the model has diverged.
    """
    check_diverged(folder)
    return list(read_object(checked(folder, SIMILARITY))["similarity"])


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Compare the features of the source's and the target's training samples."""
    from expunge.features.extract import features_of
    from expunge.transfer.similarity import class_similarity

    forgotten = forgotten_by(inputs["model"])
    source = runtime.dataset(inputs["data"], forgotten).train
    source = training_samples(source, forgotten)
    target = runtime.dataset(inputs["target"]).train
    model, _, _ = load_model(inputs["model"])
    own, other = (
        features_of(model, samples, runtime.evaluator, runtime.progress)
        for samples in (source, target)
    )
    found = class_similarity(own, source.labels.numpy(), other, source.num_classes)
    write_json(out / SIMILARITY, {"similarity": found.tolist()})


KIND = Kind(name="similarity", version=1, run=run)
