"""The kind `prune`: a sparse original model, retrained under a pruner's mask."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping, to_mapping
from expunge.errors import CollapseError, DivergedError, ModelError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.train import REWIND, Together, context_for, in_order
from expunge.graph.lineage import forgotten_by, training_samples, write_forgotten
from expunge.graph.model_files import load_model, save_model
from expunge.graph.outcome import REFUSED, write_divergence
from expunge.graph.record import write_record
from expunge.graph.runtime import params_of
from expunge.runs import JSON, checked_if_any
from expunge.settings import derive_seed
from expunge.sparsity import all_pruners, get_pruner
from expunge.tasks import check_task

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.sparsity.pruner import PruneConfig


def add_prune(
    graph: Graph,
    model_id: str,
    pruner: str,
    config: PruneConfig,
    together: Together | None = None,
) -> str:
    """The model `model_id`, pruned and retrained.

    Raises:
        ConfigError: `model_id` is not a model, no pruner has this name, or it is for another
            task.
    """
    graph.model(model_id)
    origin = graph.origin_of(model_id)
    task = graph.task_of(model_id)
    fitting = (each.name for each in all_pruners().values() if task in each.tasks)
    check_task(f"pruner {pruner}", get_pruner(pruner).tasks, task, fitting)
    params = {
        "pruner": pruner,
        "version": get_pruner(pruner).version,
        "config": to_mapping(config),
        "threads": graph.node(origin).params["threads"],
        **(together or Together()).params(),
    }
    parents = {"model": model_id, "data": graph.data_of(model_id), "origin": origin}
    label = f"prune {config.sparsity:.0%} by {pruner}, seed {graph.seed_of(model_id)}"
    return graph.add("prune", params, parents, label=label)


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Choose a mask, and train under it on what the model and its ancestors have not forgotten.

    If a layer would lose all its weights, the training diverges, or the pruner refuses the network,
    the reason stands in place of the model.
    """
    from expunge.models.weights import read_tensors
    from expunge.sparsity.mask import layer_report, mask_sparsity
    from expunge.training.sparsify import sparsify

    source = inputs["model"]
    model, spec, mask = load_model(source)
    forgotten = forgotten_by(source)
    early = checked_if_any(source, REWIND)
    rewind = None if early is None else read_tensors(early)
    pruner = get_pruner(node.params["pruner"])
    config: Any = from_mapping(pruner.config, node.params["config"], pruner.name)
    seed = derive_seed(origin_seed(inputs), "prune")
    context = replace(context_for(runtime, inputs["origin"], spec, seed), mask=mask)
    # What has drawn another order for its training draws another one here, too.
    context = in_order(context, params_of(inputs["origin"]).get("order", 0))
    context = replace(context, compiled=node.params.get("compiled", False))
    samples = training_samples(runtime.dataset(inputs["data"], forgotten).train, forgotten)
    start = time.perf_counter()
    write_forgotten(out, forgotten)
    try:
        sparse, mask = sparsify(model, samples, pruner, config, context, rewind)
    except (DivergedError, CollapseError, ModelError) as error:
        head = REFUSED if isinstance(error, ModelError) else "no sparse model: "
        write_divergence(out, f"{head}{node.id} ({error})")
        write_record(out, {"seconds": None})
        return
    seconds = time.perf_counter() - start
    save_model(out, sparse, spec, mask)
    layers: list[JSON] = [
        {"name": layer.name, "kept": layer.kept, "total": layer.total, "sparsity": layer.sparsity}
        for layer in layer_report(mask)
    ]
    write_record(
        out,
        {"seconds": seconds, "sparsity_measured": mask_sparsity(mask), "layers": layers},
    )


def origin_seed(inputs: Inputs) -> int:
    """The seed of the original model that a node's models descend from."""
    return int(params_of(inputs["origin"])["seed"])


KIND = Kind(name="prune", version=1, run=run, is_model=True)
