"""The loss of a small, balanced draw of training samples, for pruners that look at its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.settings import check_range
from expunge.sparsity.pruner import PruneConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from expunge.types import Context, Samples


@dataclass(frozen=True, kw_only=True)
class SaliencyConfig(PruneConfig):
    """Settings of pruners that look at the loss of a few training samples."""

    samples_per_class: int = 10
    """Training samples drawn of every class; of a class that has fewer, all."""
    batch_size: int = 256
    """At most as many samples at a time; batch norms see the statistics of such a batch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("samples_per_class", self.samples_per_class, 1, None)
        check_range("batch_size", self.batch_size, 2, None)


def balanced_draw(samples: Samples, per_class: int, generator: torch.Generator) -> Tensor:
    """Indices of up to `per_class` samples of each class, in random order; int64, on the CPU."""
    import torch

    labels = samples.labels.cpu()
    drawn = []
    for label in range(samples.num_classes):
        members = (labels == label).nonzero().flatten()
        order = torch.randperm(len(members), generator=generator)
        drawn.append(members[order[:per_class]])
    index = torch.cat(drawn)
    return index[torch.randperm(len(index), generator=generator)]


def even_batches(index: Tensor, size: int) -> list[Tensor]:
    """`index` in as few batches of at most `size` as there can be, of equal size but for one.

    A batch of one sample, which batch norms do not take, is not made: one of three is.
    """
    import torch

    count = min(math.ceil(len(index) / size), max(1, len(index) // 2))
    return list(torch.tensor_split(index, count))


def mean_loss(
    network: nn.Module,
    samples: Samples,
    config: SaliencyConfig,
    context: Context,
    temperature: float = 1.0,
) -> Iterator[Tensor]:
    """The mean cross-entropy of the draw, batch by batch, as terms that add up to it.

    Logits are divided by `temperature`. The same context draws the same samples. Batch norms use
    the statistics of the batch, as training will: in a new network the running ones hold nothing
    yet. All else is in evaluation mode, so that dropout does nothing. The network is left so.
    """
    import torch
    from torch.nn import functional as F
    from torch.nn.modules.batchnorm import _BatchNorm

    from expunge.types import map_batch

    network.eval()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    index = balanced_draw(samples, config.samples_per_class, context.generator("saliency"))
    batches = even_batches(index, config.batch_size)
    labels = samples.labels.to(context.device)
    dtype = next(network.parameters()).dtype
    inputs = samples.inputs.to(context.device).batches(batches)

    def given(stored: Tensor) -> Tensor:
        # What training gives the network too: bytes are 0 to 1, ids are ids.
        if stored.dtype == torch.uint8:
            return stored.to(dtype).div(255)
        return stored.to(dtype) if stored.is_floating_point() else stored

    for batch, stored in zip(batches, inputs, strict=True):
        targets = labels[batch.to(labels.device)]
        logits = network(map_batch(given, stored)) / temperature
        yield F.cross_entropy(logits, targets, reduction="sum") / len(index)
