"""Gradients of the loss of single samples, as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.curvature.per_sample import Network
    from expunge.types import Context, Samples


class Gradients:
    """The gradients of single samples of one network, by parameter name.

    The model must be on the device and in evaluation mode. It is checked on the first batch.
    """

    def __init__(
        self, model: nn.Module, names: Collection[str], batch_size: int, context: Context
    ) -> None:
        self.model, self.names = model, names
        self.batch_size, self.context = batch_size, context
        self.mask = {name: kept.to(context.device) for name, kept in (context.mask or {}).items()}
        self._network: Network | None = None

    def rows(self, samples: Samples, label: str) -> Iterator[dict[str, Tensor]]:
        """Batch by batch, the gradients `(B, *shape)` of every sample's loss.

        Those of pruned weights are zero. The progress is reported as `label`.

        Raises:
            ModelError: a layer mixes the samples of a batch.
        """
        import torch

        from expunge.curvature.per_sample import Network
        from expunge.training.inputs import input_batches

        everything = torch.arange(len(samples))
        batches = input_batches(
            self.model, samples, everything, self.batch_size, self.context, label
        )
        for batch, labels in batches():
            if self._network is None:
                self._network = Network(self.model, self.names, batch)
            done = self._network.run(batch)
            cotangents = self.context.task.cotangents(done.logits, labels)[:, None]
            found = {name: each[:, 0].detach() for name, each in done.gradients(cotangents)}
            yield {
                name: found[name] * self.mask[name] if name in self.mask else found[name]
                for name in self.names
            }


def trained(model: nn.Module) -> tuple[str, ...]:
    """The names of the parameters that are not frozen.

    Raises:
        ModelError: every parameter is frozen.
    """
    from expunge.curvature.coordinates import Coordinates

    return tuple(Coordinates(model).parameters)
