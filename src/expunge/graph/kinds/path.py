"""The kind `sgd_path`: θ_t by plain SGD from θ_0 under a model's mask, together with θ_0."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping
from expunge.errors import DivergedError, ModelError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.prune import origin_seed
from expunge.graph.kinds.train import context_for
from expunge.graph.lineage import forgotten_by, training_samples, write_forgotten
from expunge.graph.model_files import load_model, save_model
from expunge.graph.outcome import check_diverged, passed_on, write_divergence
from expunge.runs import checked, read_artefact, read_object, write_json
from expunge.settings import Training, derive_seed
from expunge.sparsity import get_pruner
from expunge.tasks import check_task
from expunge.theory.bound import check_plain_sgd

if TYPE_CHECKING:
    from torch import nn

    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Mask

START = "start.safetensors"
FACTS = "facts.json"


def add_path(graph: Graph, base_id: str) -> str:
    """θ_t: plain SGD from θ_0, the initialisation of the model `base_id`, under that model's mask.

    Only the mask of `base_id` is used. The artefact's weights are θ_t, with θ_0 in another file.
    Batch normalisation is fixed at θ_0.

    Raises:
        ConfigError: the training of `base_id` is not plain SGD with a constant learning rate.
        ModelError: `base_id` descends from adopted weights, whose initialisation is not known.
    """
    graph.model(base_id)
    check_task("the theorem", {"classify"}, graph.task_of(base_id))
    origin = graph.node(graph.origin_of(base_id))
    check_plain_sgd(from_mapping(Training, origin.params["training"], "training"))
    start = add_start(graph, base_id)
    parents = {
        "model": base_id,
        "data": graph.data_of(base_id),
        "origin": origin.id,
    }
    params = {"start": start, "threads": origin.params["threads"]}
    return graph.add(
        "sgd_path",
        params,
        parents,
        label=f"walk from the start of {base_id}, seed {graph.seed_of(base_id)}",
    )


def add_start(graph: Graph, model_id: str) -> str:
    """Which initialisation the training of a model started from: the purpose of its seed.

    `original`, `prune` (a pruner that prunes new networks), or `unlearn` (a method that trains a
    new network).

    Raises:
        ModelError: it descends from adopted weights, whose initialisation is not known.
    """
    from expunge.methods import get_method

    origin = graph.node(graph.origin_of(model_id))
    if "weights" in origin.params:
        name = Path(str(origin.where.get("weights", "a file"))).name
        raise ModelError(
            f"{model_id} descends from adopted weights ({name}), and their initialisation θ_0 is "
            "not known: train a model with expunge train"
        )
    node = graph.node(model_id)
    while node.kind == "unlearn":
        if "rebuild" in get_method(node.params["method"]).needs:
            return "unlearn"
        # Any other method starts from the weights of its model.
        node = graph.node(node.parents["model"])
    if node.kind == "prune" and get_pruner(node.params["pruner"]).when == "initial":
        return "prune"
    return "original"


def start_model(node: Node, inputs: Inputs, runtime: Runtime) -> nn.Module:
    """The dense network that the training of the model `inputs["model"]` started from."""
    _, spec, _ = load_model(inputs["model"])
    seed, start = origin_seed(inputs), str(node.params["start"])
    seed = seed if start == "original" else derive_seed(seed, start)
    return context_for(runtime, inputs["origin"], spec, seed).fresh_model()


def load_path(folder: Path) -> tuple[nn.Module, nn.Module, Mask | None]:
    """θ_t, θ_0 and the mask of a path, with batch normalisation fixed."""
    from expunge.models.build import build
    from expunge.models.weights import load_weights
    from expunge.theory.normalisation import fix_normalisation

    model, spec, mask = load_model(folder)
    start = build(spec)
    load_weights(start, checked(folder, START))
    fix_normalisation(model)
    fix_normalisation(start)
    return model, start, mask


def load_facts(folder: Path) -> dict[str, Any]:
    """The numbers in one of the theorem's artefacts.

    Raises:
        DivergedError: it holds the reason why there are none.
        ModelError: the same, where the network was refused.
    """
    check_diverged(folder)
    return read_object(checked(folder, FACTS))


def is_path(folder: Path) -> bool:
    """Whether the artefact in `folder` is such a path."""
    return read_artefact(folder).node.kind == "sgd_path"


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Train from θ_0 by plain SGD on what the model and its ancestors have not forgotten."""
    if passed_on(inputs["model"], out):
        return
    try:
        _walk(node, inputs, out, runtime)
    except DivergedError as error:
        write_divergence(out, f"diverged: {node.id} ({error})")


def _walk(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    from expunge.metrics.accuracy import accuracy
    from expunge.models.weights import save_weights
    from expunge.sparsity.mask import apply_mask, mask_sparsity
    from expunge.theory.normalisation import fix_normalisation, set_statistics
    from expunge.theory.paths import path_batches, walk
    from expunge.training.predict import predict

    forgotten = forgotten_by(inputs["model"])
    dataset = runtime.dataset(inputs["data"], forgotten)
    train = training_samples(dataset.train, forgotten)
    _, spec, mask = load_model(inputs["model"])
    seed = origin_seed(inputs)
    context = replace(context_for(runtime, inputs["origin"], spec, seed), mask=mask)
    training = context.training_settings()
    model = start_model(node, inputs, runtime)
    if mask is not None:
        apply_mask(model, mask)
    set_statistics(model, train, context.device)
    fix_normalisation(model)
    save_weights(model, out / START)
    batches = path_batches(len(train), training, context)
    walk(model, train, batches, training.lr, context)
    save_model(out, model, spec, mask)
    write_forgotten(out, forgotten)
    facts: dict[str, Any] = {"sparsity_measured": 0.0 if mask is None else mask_sparsity(mask)}
    for name, samples in (("train", train), ("test", dataset.test)):
        logits = predict(model, samples, runtime.evaluator)
        facts[f"{name}_accuracy"] = accuracy(logits.numpy(), samples.labels.numpy())
    write_json(out / FACTS, facts)


KIND = Kind(name="sgd_path", version=1, run=run, is_model=True)
