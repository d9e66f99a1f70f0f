"""Which parameters make the logits, found in the graph of what the network computes."""

from __future__ import annotations

import torch
from torch import nn
from torch.autograd.graph import Node
from torch.func import functional_call

from expunge.batch import Batch
from expunge.errors import ModelError


def head_parameters(model: nn.Module, batch: Batch) -> tuple[str, ...]:
    """The parameters of the last layer that have one row for each class, by name.

    Going back from the logits of `batch`, level by level of the graph, until the first weight of
    two dimensions or more with a row for each class: it, and the vectors of one number a class that
    were met on the way and belong to the same module, such as its bias. Frozen ones are found too.

    Raises:
        ModelError: there is no such weight.
    """
    # Views of its own as leaves: whether a parameter is frozen does not change where it is.
    leaves = {name: p.detach().requires_grad_() for name, p in model.named_parameters()}
    with torch.enable_grad():
        logits = functional_call(model, leaves, (batch,))
    names = {id(leaf): name for name, leaf in leaves.items()}
    classes = logits.shape[-1]
    found: list[str] = []
    level: list[Node] = [] if logits.grad_fn is None else [logits.grad_fn]
    seen = set(level)
    while level:
        deeper = [node for at in level for node, _ in at.next_functions if node is not None]
        level = [node for node in dict.fromkeys(deeper) if node not in seen]
        seen.update(level)
        met = [leaf for node in level if (leaf := getattr(node, "variable", None)) is not None]
        rows = [leaf for leaf in met if leaf.ndim and leaf.shape[0] == classes]
        found += [names[id(leaf)] for leaf in rows]
        weights = [names[id(leaf)] for leaf in rows if leaf.ndim > 1]
        if weights:
            # A hidden layer as wide as there are classes has such vectors too.
            owners = {name.rpartition(".")[0] for name in weights}
            return tuple(name for name in found if name.rpartition(".")[0] in owners)
    raise ModelError(
        f"expected a last layer with a row for each of {classes} classes, found none in "
        f"{type(model).__name__}"
    )
