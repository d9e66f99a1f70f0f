"""The kind `subsets`: what many models, each trained without one draw of the samples, answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.train import Together
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.lineage import forgotten_by
from expunge.graph.outcome import divergence
from expunge.methods import get_method
from expunge.runs import checked, read_arrays, write_arrays
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.data.facts import Facts
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

ANSWERS = "subsets.safetensors"


def add_subsets(
    graph: Graph,
    model_id: str,
    *,
    retained: float,
    count: int,
    population: str,
    facts: Facts,
    config: Any = None,
    together: Together | None = None,
    another_seed: bool = False,
) -> str:
    """What `count` models answer on a population, each Retrain of `model_id` on another draw.

    `retained` is the share of the training samples that each is trained on; model k forgets
    `draw:SHARE:k`. With `another_seed` they are the same subsets, trained by another seed.

    Raises:
        ConfigError: the share is not between 0 and 1, or the count is below 1.
        ForgetError: so few samples that a draw is empty.
    """
    check_range("the number of subset models", count, 1, None)
    check_range("the retained share", retained, 0, 1)
    if not 0 < retained < 1:
        raise ConfigError(f"the retained share must be between 0 and 1, got {retained!r}")
    config = get_method("retrain").config() if config is None else config
    share = round(1 - retained, 9)
    parents = {"data": graph.data_of(model_id)}
    for number in range(count):
        forget = add_forget(
            graph, model_id, f"draw:{share}:{number}", facts=facts, shown=number == 0
        )
        subset = add_unlearn(
            graph, model_id, forget, "retrain", config, together, another_seed=another_seed
        )
        parents[f"model_{number}"] = subset
        parents[f"predicted_{number}"] = add_predict(graph, subset, population, together)
    params = {"count": count, "population": population}
    label = f"answers of {count} subset models on {population}, {retained:.0%} retained"
    return graph.add("subsets", params, parents, label=label)


def load_subsets(folder: Path) -> dict[str, Any]:
    """What K subset models answer on the M samples at `rows` int64 `(M,)` of the population.

    `kept` bool `(K, N)` says which of the data node's training samples each was trained on,
    `margin` float64 `(K, M)` is log(p / (1 − p)) of the label, `right` bool `(K, M)`, and `number`
    int64 `(K,)` the draw: models that have diverged are left out.
    """
    return dict(read_arrays(checked(folder, ANSWERS)))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Gather the draws and the answers.

    Raises:
        ConfigError: all subset models have diverged.
    """
    import numpy as np

    from expunge.attribution.datamodel import margins

    ids = runtime.facts(inputs["data"]).train.ids
    numbers = [
        number
        for number in range(node.params["count"])
        if divergence(inputs[f"predicted_{number}"]) is None
    ]
    if not numbers:
        raise ConfigError(
            f"all {node.params['count']} subset models have diverged: lower the learning rate of "
            "the training"
        )
    kept, margin, right, rows = [], [], [], []
    for number in numbers:
        # Its draw, and what was forgotten before.
        gone = set(forgotten_by(inputs[f"model_{number}"]))
        kept.append([name not in gone for name in ids])
        found = load_predictions(inputs[f"predicted_{number}"])
        margin.append(margins(found["logits"], found["labels"]))
        right.append(found["logits"].argmax(1) == found["labels"])
        rows.append(found["rows"])
    # Predictions made before a sample left the data still have it.
    common = sorted(set.intersection(*(set(each.tolist()) for each in rows)))
    chosen = [np.isin(each, common) for each in rows]
    write_arrays(
        out / ANSWERS,
        {
            "kept": np.array(kept),
            "margin": np.array([m[where] for m, where in zip(margin, chosen, strict=True)]),
            "right": np.array([r[where] for r, where in zip(right, chosen, strict=True)]),
            "rows": np.array(common, dtype=np.int64),
            "number": np.array(numbers, dtype=np.int64),
        },
    )


KIND = Kind(name="subsets", version=1, run=run, computes=False)
