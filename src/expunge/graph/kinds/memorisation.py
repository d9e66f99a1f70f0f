"""The kind `memorisation`: Feldman and Zhang's estimate for every training sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.subsets import add_subsets, load_subsets
from expunge.graph.kinds.train import Together
from expunge.runs import checked, read_arrays, write_arrays

if TYPE_CHECKING:
    from expunge.data.facts import Facts
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

ESTIMATES = "memorisation.safetensors"
RETAINED = 0.5
"""Share of the samples that each model is trained on: both means of the estimate then rest on as
many models."""


def add_memorisation(
    graph: Graph,
    model_id: str,
    models: int,
    *,
    facts: Facts,
    config: Any = None,
    together: Together | None = None,
) -> str:
    """The memorisation estimate of what `model_id` may train on, from `models` subset models.

    Raises:
        ConfigError: the number of models is below 1.
    """
    subsets = add_subsets(
        graph,
        model_id,
        retained=RETAINED,
        count=models,
        population="train",
        facts=facts,
        config=config,
        together=together,
    )
    parents = {"subsets": subsets}
    return graph.add("memorisation", {}, parents, label=f"memorisation from {models} models")


def load_memorisation(folder: Path) -> dict[str, Any]:
    """Estimates of the M training samples at `rows` int64 `(M,)` of the data node's list.

    `estimate` and `margin` float64, `with_it` and `without_it` int64, `order` int64: positions of
    samples that have an estimate, most memorised first. See `attribution.memorisation`.
    """
    return dict(read_arrays(checked(folder, ESTIMATES)))


def load_order(folder: Path, facts: Facts) -> list[str]:
    """The ids of the samples with an estimate, most memorised first."""
    found = load_memorisation(folder)
    return [facts.train.ids[row] for row in found["rows"][found["order"]].tolist()]


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Estimate from the subset models' answers."""
    import numpy as np

    from expunge.attribution.memorisation import memorisation

    found = load_subsets(inputs["subsets"])
    kept = found["kept"][:, found["rows"]]
    # Samples that no model may train on, because they were forgotten before, have no estimate.
    estimates = memorisation(kept, found["right"], found["margin"])
    write_arrays(
        out / ESTIMATES,
        {
            "estimate": estimates.estimate,
            "margin": estimates.margin,
            "with_it": estimates.with_it,
            "without_it": estimates.without_it,
            "order": estimates.order(),
            "rows": found["rows"].astype(np.int64),
        },
    )


KIND = Kind(name="memorisation", version=1, run=run, computes=False)
