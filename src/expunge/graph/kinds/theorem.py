"""The kind `theorem`: distances of unlearned models to Retrain from the same start and order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping, to_mapping
from expunge.errors import ConfigError, DivergedError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.forget import load_forget, refuse_correction
from expunge.graph.kinds.path import FACTS, load_path
from expunge.graph.kinds.prune import origin_seed
from expunge.graph.kinds.train import context_for
from expunge.graph.lineage import forgotten_by, training_samples, training_split
from expunge.graph.model_files import load_model
from expunge.graph.outcome import passed_on, write_divergence
from expunge.methods import get_method
from expunge.runs import write_json
from expunge.settings import derive_seed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node


def add_theorem(graph: Graph, path_id: str, forget_id: str, methods: Mapping[str, Any]) -> str:
    """Distances to Retrain after unlearning the path by `methods`, a mapping of name to settings.

    Raises:
        ConfigError: a method starts from another initialisation.
        ForgetError: the forget set is a correction.
    """
    refuse_correction(graph, forget_id)
    for name in methods:
        if "rebuild" in get_method(name).needs:
            raise ConfigError(
                f"method {name} starts from another initialisation than the theorem's Retrain, "
                "which is always measured: leave it out of the recipe"
            )
    origin = graph.node(graph.origin_of(path_id))
    params: dict[str, Any] = {
        "methods": {
            name: {"version": get_method(name).version, "config": to_mapping(config)}
            for name, config in methods.items()
        },
        "threads": origin.params["threads"],
    }
    parents = {
        "model": path_id,
        "data": graph.data_of(path_id),
        "origin": origin.id,
        "forget": forget_id,
    }
    scenario = graph.node(forget_id).where["scenario"]
    label = f"distances to Retrain of {path_id} on {scenario}"
    return graph.add("theorem", params, parents, label=label)


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Retrain the path without the forget set, and measure the methods' distances from the end.

    A method that diverges has no distance; without a path or its Retrain nothing has.
    """
    if passed_on(inputs["model"], out):
        return
    try:
        facts = _measure(node, inputs, runtime)
    except DivergedError as error:
        write_divergence(out, f"diverged: {node.id} ({error})")
        return
    write_json(out / FACTS, facts)


def _measure(node: Node, inputs: Inputs, runtime: Runtime) -> dict[str, Any]:
    from expunge.methods.run import run_method
    from expunge.metrics.distance import weight_distance
    from expunge.theory.paths import add_back, path_batches, walk

    source = inputs["model"]
    model, start, mask = load_path(source)
    _, spec, _ = load_model(source)
    seed = origin_seed(inputs)
    context = replace(context_for(runtime, inputs["origin"], spec, seed), mask=mask, rebuild=None)
    training = context.training_settings()
    chosen, forgotten = load_forget(inputs["forget"]), forgotten_by(source)
    # The path's samples in the path's order, without what was forgotten earlier.
    train = training_samples(runtime.dataset(inputs["data"], forgotten).train, forgotten)
    split = training_split(
        train,
        chosen["ids"],
        forgotten,
        chosen["scenario"],
        tuple(chosen["classes"]),
    )
    batches = path_batches(len(split.train), training, context)
    _, retrained, _ = load_path(source)
    walk(
        retrained, split.train, batches, training.lr, context, without=split.forget, label="retrain"
    )
    reference = _weights(retrained)
    unlearned = add_back(model, start, split.train, batches, training.lr, split.forget, context)
    unlearning = replace(context, seed=derive_seed(seed, "unlearn"))
    distances: dict[str, float | None] = {
        "add_back": weight_distance(_weights(unlearned), reference),
        "original": weight_distance(_weights(model), reference),
    }
    diverged: dict[str, str] = {}
    for name, settings in node.params["methods"].items():
        method = get_method(name)
        config: Any = from_mapping(method.config, settings["config"], name)
        try:
            unlearned, _ = run_method(method, model, split, config, unlearning)
            distances[name] = weight_distance(_weights(unlearned), reference)
        except DivergedError as error:
            distances[name], diverged[name] = None, str(error)
    return {"distances": distances, **({"diverged": diverged} if diverged else {})}


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


KIND = Kind(name="theorem", version=1, run=run)
