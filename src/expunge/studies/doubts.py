"""How a reference may have been made otherwise than the model that is compared with it."""

from __future__ import annotations

from typing import Any

from expunge.graph.graph import Graph
from expunge.metrics.gap import CONVERGED


def doubts(graph: Graph, model_id: str, reference_id: str) -> list[str]:
    """What differs between the making of a model and of its reference, in words.

    Raises:
        StoreError: a node that they descend from is not in the store.
    """
    found = []
    origin_id, other_id = graph.origin_of(model_id), graph.origin_of(reference_id)
    origin, other = graph.node(origin_id), graph.node(other_id)
    if graph.data_of(model_id) != graph.data_of(reference_id):
        found.append("the reference was retrained on other data than the model was trained on")
    one, two = _flat(origin.params), _flat(other.params)
    if differ := [name for name in {**one, **two} if one.get(name) != two.get(name)]:
        settings = "; ".join(
            f"{name} {two.get(name, 'not set')}, the model's {one.get(name, 'not set')}"
            for name in differ
        )
        found.append(f"the reference descends from a model of other settings: {settings}")
    epochs = graph.node(reference_id).params["config"].get("epochs")
    own = other.params["training"]["epochs"]
    if epochs is not None and epochs != own:
        found.append(
            f"the reference was retrained for {epochs} epoch{'s' * (epochs > 1)}, its original was "
            f"trained for {own}"
        )
    if graph.node(reference_id).params.get("another_seed"):
        found.append("the reference was retrained by another seed")
    if "weights" in origin.params:
        found.append(
            "the model's weights were adopted: that the reference was trained as they were is what "
            "their training settings say, and was not seen"
        )
    return found


def not_converged(reference: float | None, original: float | None) -> str:
    """What to say of a reference whose RA is far below its original's; empty if it is not."""
    if reference is None or original is None or original - reference <= CONVERGED:
        return ""
    return (
        f"reference not converged: its RA is {reference:.2f}, that of the model it was retrained "
        f"from {original:.2f}"
    )


def _flat(params: dict[str, Any] | Any, name: str = "") -> dict[str, Any]:
    """Nested settings by dotted names; a digest of weights is not shown but compared."""
    found: dict[str, Any] = {}
    for key, value in params.items():
        where = f"{name}.{key}" if name else str(key)
        found |= _flat(value, where) if isinstance(value, dict) else {where: value}
    return found
