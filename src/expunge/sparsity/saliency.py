"""The loss on a small balanced draw of training samples, for gradient-based pruners."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
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
    """Settings of pruners that use the loss on a few training samples."""

    samples_per_class: int = 10
    """Training samples drawn per class; all of a class that has fewer."""
    batch_size: int = 256
    """Maximum samples per batch; batch norms use the statistics of the batch."""

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
    """`index` in as few batches of at most `size` as possible, equal in size up to one sample.

    It makes a batch of three rather than one of a single sample, which batch norms do not accept.
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
    kept: Collection[str] = (),
) -> Iterator[Tensor]:
    """The mean loss of the draw, as one term per batch.

    Outputs are divided by `temperature`. The same context draws the same samples. Batch norms use
    the statistics of the batch, as in training: the running statistics of a new network are not set
    yet. Everything else is in evaluation mode, so dropout is off, and so are the modules whose
    names are in `kept`. These modes are not restored.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    from expunge.tasks.inputs import cast_inputs

    network.eval()
    for name, module in network.named_modules():
        if isinstance(module, _BatchNorm) and name not in kept:
            module.train()
    index = balanced_draw(samples, config.samples_per_class, context.generator("saliency"))
    batches = even_batches(index, config.batch_size)
    labels = samples.labels.to(context.device)
    dtype = next(network.parameters()).dtype
    inputs = samples.inputs.to(context.device).batches(batches)
    noise = context.generator("saliency: task", context.device)
    for batch, stored in zip(batches, inputs, strict=True):
        drawn = context.task.draw(len(batch), samples.inputs.shape, noise)
        example = context.task.example(stored, labels[batch.to(labels.device)], drawn)
        given, targets = cast_inputs(example[0], dtype, torch.contiguous_format), example[1]
        outputs = network(given) / temperature
        yield context.task.loss(outputs, targets).sum() / len(index)
