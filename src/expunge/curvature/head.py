"""Find the parameters of the classification head in the computation graph."""

from __future__ import annotations

import torch
from torch import nn
from torch.autograd.graph import Node

from expunge.batch import Batch
from expunge.curvature.calls import call_with
from expunge.errors import ModelError
from expunge.modes import mode


def head_parameters(model: nn.Module, batch: Batch) -> tuple[str, ...]:
    """The names of the last layer's parameters with one row for each class.

    The search goes back from the logits of `batch`, level by level through the graph, to the first
    weight with two or more dimensions and a row for each class. The result also includes vectors
    with one number per class found on the way in the same module, such as its bias. Frozen
    parameters are found too. The model is left as it is.

    Raises:
        ModelError: no such weight exists.
    """
    # Detached leaves that require gradients, so that frozen parameters are in the graph too.
    leaves = {
        name: p.detach().requires_grad_()
        for name, p in model.named_parameters()
        if p.is_floating_point()
    }
    # In training mode, batch normalisation would count this batch among its statistics.
    with torch.enable_grad(), mode(model, training=False):
        logits = call_with(model, leaves, batch)
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
            # A hidden layer whose width is the number of classes has such vectors too.
            owners = {name.rpartition(".")[0] for name in weights}
            return tuple(name for name in found if name.rpartition(".")[0] in owners)
    raise ModelError(
        f"expected a last layer with a row for each of {classes} classes, found none in "
        f"{type(model).__name__}"
    )
