"""The kind `sharpness`: a model's distance from θ_0, σ(m) at both ends, and the bound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping, to_mapping
from expunge.errors import DivergedError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.path import FACTS, add_start, is_path, load_path, start_model
from expunge.graph.kinds.prune import origin_seed
from expunge.graph.lineage import forgotten_by, training_samples
from expunge.graph.model_files import load_model
from expunge.graph.outcome import passed_on, write_divergence
from expunge.graph.runtime import params_of
from expunge.runs import read_artefact, write_json
from expunge.settings import Training
from expunge.tasks import check_task
from expunge.theory.config import HessianConfig

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node


def add_sharpness(graph: Graph, model_id: str, config: HessianConfig) -> str:
    """‖m ⊙ (θ_t − θ_0)‖₂, σ(m) at θ_t and at θ_0, and the bound, of any model or path.

    Raises:
        ConfigError: `model_id` is not a model.
        ModelError: it descends from adopted weights, whose initialisation is not known.
    """
    model = graph.model(model_id)
    check_task("the bound", {"classify"}, graph.task_of(model_id))
    origin = graph.node(graph.origin_of(model_id))
    start = model.params["start"] if model.kind == "sgd_path" else add_start(graph, model_id)
    params: dict[str, Any] = {
        "config": to_mapping(config),
        "start": start,
        "threads": origin.params["threads"],
    }
    parents = {"model": model_id, "data": graph.data_of(model_id), "origin": origin.id}
    return graph.add("sharpness", params, parents, label=f"sharpness of {model_id}")


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Measure θ_t and θ_0; one that has diverged has no numbers."""
    if passed_on(inputs["model"], out):
        return
    try:
        facts = _measure(node, inputs, runtime)
    except DivergedError as error:
        write_divergence(out, f"diverged: {node.id} ({error})")
        return
    write_json(out / FACTS, facts)


def _measure(node: Node, inputs: Inputs, runtime: Runtime) -> dict[str, Any]:
    from expunge.metrics.distance import weight_distance
    from expunge.sparsity.mask import apply_mask
    from expunge.theory.bound import departures_from_theorem, steps_of, unlearning_error_bound
    from expunge.theory.hessian import largest_singular_value
    from expunge.types import Context

    training = from_mapping(Training, params_of(inputs["origin"])["training"], "training")
    forgotten = forgotten_by(inputs["model"])
    samples = training_samples(runtime.dataset(inputs["data"], forgotten).train, forgotten)
    if is_path(inputs["model"]):
        model, start, mask = load_path(inputs["model"])
    else:
        model, _, mask = load_model(inputs["model"])
        start = start_model(node, inputs, runtime)
        if mask is not None:
            apply_mask(start, mask)
    config = from_mapping(HessianConfig, node.params["config"], "sharpness")
    context = Context(fabric=runtime.evaluator, seed=origin_seed(inputs), mask=mask)
    here = {name: p.detach() for name, p in model.named_parameters()}
    there = {name: p.detach() for name, p in start.named_parameters()}
    moved = weight_distance(here, there, mask)
    sigma = largest_singular_value(model, samples, config, context)
    steps = steps_of(training, len(samples))
    departures = departures_from_theorem(training)
    kind = read_artefact(inputs["model"]).node.kind
    if kind not in ("train", "sgd_path"):
        departures.append(f"further training by {kind}, which t does not count")
    return {
        "moved": moved,
        "sigma": sigma,
        "sigma_start": largest_singular_value(start, samples, config, context),
        "lr": training.lr,
        "steps": steps,
        "bound": unlearning_error_bound(training.lr, steps, moved, sigma),
        "departures": departures,
    }


KIND = Kind(name="sharpness", version=1, run=run)
