"""Gradients of the loss of single samples, as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Samples


def gradient_rows(
    model: nn.Module,
    samples: Samples,
    names: Collection[str],
    batch_size: int,
    context: Context,
    label: str,
) -> Iterator[dict[str, Tensor]]:
    """Batch by batch, the gradients `(B, *shape)` of every sample's loss, by parameter name.

    The model must be on the device and in evaluation mode. Gradients of pruned weights are zero.

    Raises:
        ModelError: a layer mixes the samples of a batch.
    """
    import torch

    from expunge.curvature.per_sample import Network
    from expunge.training.inputs import input_batches

    everything = torch.arange(len(samples))
    batches = input_batches(model, samples, everything, batch_size, context, label)
    mask = {name: kept.to(context.device) for name, kept in (context.mask or {}).items()}
    network: Network | None = None
    for batch, labels in batches():
        if network is None:
            network = Network(model, names, batch)
        done = network.run(batch)
        cotangents = context.task.cotangents(done.logits, labels)[:, None]
        found = {name: each[:, 0] for name, each in done.gradients(cotangents)}
        yield {
            name: found[name] * mask[name] if name in mask else found[name].detach()
            for name in names
        }


def trained(model: nn.Module) -> tuple[str, ...]:
    """The names of the parameters that are not frozen.

    Raises:
        ModelError: every parameter is frozen.
    """
    from expunge.curvature.coordinates import Coordinates

    return tuple(Coordinates(model).parameters)
