"""The kind `unlearn`: a model from which a method has removed the forget set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping, to_mapping
from expunge.errors import DivergedError, ModelError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.forget import load_forget, refuse_correction
from expunge.graph.kinds.prune import origin_seed
from expunge.graph.kinds.train import Together, context_for
from expunge.graph.lineage import forgotten_by, training_split, write_forgotten
from expunge.graph.model_files import load_model, save_model
from expunge.graph.outcome import REFUSED, divergence, write_divergence
from expunge.graph.record import write_record
from expunge.methods import all_methods, get_method
from expunge.scenarios import corrects
from expunge.settings import derive_seed
from expunge.tasks import check_task

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Split


def add_unlearn(
    graph: Graph,
    model_id: str,
    forget_id: str,
    method: str,
    config: Any,
    together: Together | None = None,
    *,
    another_seed: bool = False,
) -> str:
    """The model `model_id` after `method` has unlearned the forget set `forget_id`.

    With `another_seed`, all that the method draws is drawn by a seed of its own.

    Raises:
        ConfigError: `model_id` is not a model, no method has this name, or it is for another
            task.
        ForgetError: the forget set is a correction.
    """
    refuse_correction(graph, forget_id)
    parents = {
        "model": model_id,
        "data": graph.data_of(model_id),
        "origin": graph.origin_of(model_id),
        "forget": forget_id,
    }
    params = unlearn_params(graph, model_id, method, config, together, another_seed=another_seed)
    label = unlearn_label(graph, model_id, forget_id, method, another_seed=another_seed)
    return graph.add("unlearn", params, parents, label=label)


def unlearn_params(
    graph: Graph,
    model_id: str,
    method: str,
    config: Any,
    together: Together | None,
    *,
    another_seed: bool,
) -> dict[str, Any]:
    """The params of a model that a method makes of `model_id`.

    Raises:
        ConfigError: `model_id` is not a model, no method has this name, or it is for another
            task.
    """
    graph.model(model_id)
    task = graph.task_of(model_id)
    fitting = (each.name for each in all_methods().values() if task in each.tasks)
    check_task(f"method {method}", get_method(method).tasks, task, fitting)
    params = {
        "method": method,
        "version": get_method(method).version,
        "config": to_mapping(config),
        "threads": graph.node(graph.origin_of(model_id)).params["threads"],
        **(together or Together()).params(),
    }
    if another_seed:
        params["another_seed"] = True
    return params


def unlearn_label(
    graph: Graph, model_id: str, forget_id: str, method: str, *, another_seed: bool
) -> str:
    """What to call such a model."""
    model = graph.model(model_id)
    what = "dense"
    if model.kind == "prune":
        what = f"{model.params['config']['sparsity']:.0%} {model.params['pruner']}"
    scenario = graph.node(forget_id).where["scenario"]
    seed = f"seed {graph.seed_of(model_id)}{', another' if another_seed else ''}"
    verb = "correct" if corrects(scenario) else "unlearn"
    scenario = scenario.removeprefix("corrected:")
    return f"{verb} {scenario} by {method}, {what}, {seed}"


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Run the method on a copy of the model, without what was forgotten earlier."""
    forgotten = forgotten_by(inputs["model"])
    chosen = load_forget(inputs["forget"])
    write_forgotten(out, (*forgotten, *chosen["ids"]))

    def split() -> Split:
        train = runtime.dataset(inputs["data"], forgotten).train
        classes = tuple(chosen["classes"])
        return training_split(train, chosen["ids"], forgotten, chosen["scenario"], classes)

    made_by_method(node, inputs, out, runtime, split)


def made_by_method(
    node: Node, inputs: Inputs, out: Path, runtime: Runtime, split: Callable[[], Split]
) -> None:
    """Run the method of a node on a copy of its model, and write the model that it gives.

    If the method refuses the network, or it or the model before has diverged, the reason stands in
    place of the model.
    """
    from expunge.methods.outcome import look_at
    from expunge.methods.run import run_method
    from expunge.reuse import Reuse

    reason = divergence(inputs["model"])
    if reason is not None:
        write_divergence(out, reason)
        write_record(out, {"seconds": None})
        return
    model, spec, mask = load_model(inputs["model"])
    samples = split()
    method = get_method(node.params["method"])
    config: Any = from_mapping(method.config, node.params["config"], method.name)
    purpose = "unlearn again" if node.params.get("another_seed") else "unlearn"
    seed = derive_seed(origin_seed(inputs), purpose)
    context = replace(context_for(runtime, inputs["origin"], spec, seed), mask=mask)
    # Settings of the method, such as FF's α, may leave what it first computes as it is; all else
    # that a node is made from may not.
    others = {name: value for name, value in node.params.items() if name != "config"}
    owner = replace(node, params=others).id
    context = replace(
        context,
        compiled=node.params.get("compiled", False),
        reuse=Reuse(runtime.kept, owner),
    )
    try:
        unlearned, seconds = run_method(method, model, samples, config, context)
        notes = look_at(method, model, unlearned, samples, config, context)
    except (DivergedError, ModelError) as error:
        why = f"{REFUSED}{node.id} ({method.name}: {error})"
        if isinstance(error, DivergedError):
            why = f"diverged: {node.id} ({error})"
        write_divergence(out, why)
        write_record(out, {"seconds": None})
        return
    save_model(out, unlearned, spec, mask)
    write_record(out, {"seconds": seconds, **({"notes": list(notes)} if notes else {})})


KIND = Kind(name="unlearn", version=1, run=run, is_model=True)
