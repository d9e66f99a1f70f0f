"""The kind `attribution`: scores of training samples for the predictions of some targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.attribution import get_attributor
from expunge.config import from_mapping, to_mapping
from expunge.errors import ConfigError, some
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.prune import origin_seed
from expunge.graph.kinds.train import Together
from expunge.graph.lineage import forgotten_by, training_samples
from expunge.graph.model_files import load_model
from expunge.graph.targets import Targets, parse_targets
from expunge.runs import checked, read_arrays, read_object, write_arrays, write_json
from expunge.settings import derive_seed
from expunge.tasks import check_task

if TYPE_CHECKING:
    from expunge.data.facts import Facts
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Samples

SCORES = "scores.safetensors"
ABOUT = "attribution.json"


def add_attribution(
    graph: Graph,
    model_id: str,
    attributor: str,
    config: Any,
    targets: Targets,
    *,
    facts: Facts,
    together: Together | None = None,
) -> str:
    """Scores of the training samples of `model_id` for the `targets`, by an attributor.

    Raises:
        ConfigError: `model_id` is not a model that classifies, no attributor has this name, or the
            targets do not fit the data of `facts`.
    """
    graph.model(model_id)
    check_task("attribution", {"classify"}, graph.task_of(model_id))
    count = targets.check(facts)
    origin = graph.node(graph.origin_of(model_id))
    params: dict[str, Any] = {
        "attributor": attributor,
        "version": get_attributor(attributor).version,
        "config": to_mapping(config),
        "targets": targets.param,
        "threads": origin.params["threads"],
    }
    parents = {"model": model_id, "data": graph.data_of(model_id)}
    if origin.id != model_id:
        parents["origin"] = origin.id
    if targets.rule == "wrong":
        parents["test"] = add_predict(graph, model_id, "test", together)
    where = {"targets": targets.text}
    if targets.rule == "ids" and not targets.text.startswith("ids:"):
        where = {"targets": ",".join(targets.ids)}
    label = f"attribute {count} predictions of {model_id} by {attributor}"
    return graph.add("attribution", params, parents, where=where, label=label)


def load_scores(folder: Path) -> dict[str, Any]:
    """The scores in this folder, and whose they are.

    `scores` is float32 `(T, N)`. `samples` `(N,)` and `targets` `(T,)` are int64: rows of the
    training samples, and of the targets in their population, in the data node's lists of ids.
    """
    return dict(read_arrays(checked(folder, SCORES)))


def load_about(folder: Path) -> dict[str, Any]:
    """`targets`, a list of ids; their `population`; and the `notes` of the attributor."""
    return read_object(checked(folder, ABOUT))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Load the model and what it was trained on, and run the attributor.

    Raises:
        ConfigError: the targets have changed since this was planned.
    """
    import numpy as np

    from expunge.types import Context

    facts = runtime.facts(inputs["data"])
    targets = parse_targets(str(runtime.where(node)["targets"]))
    if targets.param != node.params["targets"]:
        raise ConfigError(
            f"the targets {targets.text} have changed since this was planned: run the command again"
        )
    predictions = load_predictions(inputs["test"]) if "test" in inputs else None
    population, rows = targets.rows(facts, predictions)
    forgotten = forgotten_by(inputs["model"])
    dataset = runtime.dataset(inputs["data"], forgotten)
    train = training_samples(dataset.train, forgotten)
    ids = [facts.parts[population].ids[row] for row in rows]
    wanted = _targets(dataset.train if population == "train" else dataset.test, ids)
    model, _, mask = load_model(inputs["model"])
    attributor = get_attributor(node.params["attributor"])
    config = from_mapping(attributor.config, node.params["config"], attributor.name)
    seed = origin_seed({"origin": inputs["model"], **inputs})
    context = Context(
        fabric=runtime.evaluator,
        seed=derive_seed(seed, "attribute"),
        mask=mask,
        progress=runtime.progress,
    )
    found = attributor.run(model, train, wanted, config, context)
    place = {name: row for row, name in enumerate(facts.train.ids)}
    write_arrays(
        out / SCORES,
        {
            "scores": found.scores.numpy().astype(np.float32),
            "samples": np.array([place[name] for name in train.ids], dtype=np.int64),
            "targets": np.array(rows, dtype=np.int64),
        },
    )
    write_json(out / ABOUT, {"population": population, "targets": ids, "notes": list(found.notes)})


def _targets(samples: Samples, ids: list[str]) -> Samples:
    """The samples with these ids, in this order.

    Raises:
        ConfigError: a target is no longer in the data.
    """
    import torch

    from expunge.data.splits import subset

    place = {name: row for row, name in enumerate(samples.ids)}
    if gone := [name for name in ids if name not in place]:
        raise ConfigError(
            f"{len(gone)} of {len(ids)} targets are no longer in the data ({some(gone)})"
        )
    return subset(samples, torch.tensor([place[name] for name in ids]))


KIND = Kind(name="attribution", version=1, run=run)
