"""A source network with a fresh last layer for the classes of the target."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from expunge.errors import ModelError, some

if TYPE_CHECKING:
    from torch import nn

    from expunge.batch import Batch
    from expunge.models.spec import ModelSpec


def with_new_head(
    model: nn.Module, spec: ModelSpec, batch: Batch, classes: int, seed: int
) -> tuple[nn.Module, tuple[str, ...]]:
    """The same network with `classes` outputs, and the names of its last layer's parameters.

    It has the weights of `model`, and a last layer from `seed`.

    Args:
        model: a network of `spec`, which stays as it is.
        spec: what it was built from.
        batch: inputs by which the last layer is found.
        classes: outputs of the new network.
        seed: of the new last layer.

    Raises:
        ModelError: the last layer is not found, or others depend on the number of classes too.
    """
    from expunge.curvature.head import head_parameters
    from expunge.models.build import build

    head = head_parameters(model, batch)
    fresh = build(replace(spec, num_classes=classes), seed=seed)
    own, wanted = model.state_dict(), fresh.state_dict()
    body = {name: tensor for name, tensor in own.items() if name not in head}
    others = [
        name
        for name in sorted({*body, *wanted} - set(head))
        if name not in body or name not in wanted or body[name].shape != wanted[name].shape
    ]
    if others:
        raise ModelError(
            f"a network with {classes} outputs differs from one with {spec.num_classes} in more "
            f"than its last layer ({some(others)}): fine-tuning needs the rest to be alike"
        )
    fresh.load_state_dict({**wanted, **body})
    fresh.train(model.training)
    return fresh, head
