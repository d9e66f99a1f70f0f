"""Streams: sets of samples that training iterates over in parallel, one batch of each per step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from expunge.errors import ConfigError
from expunge.training.batches import augmented_shares, batch_count, shuffled_batches
from expunge.training.share import own_share

if TYPE_CHECKING:
    from expunge.tasks.task import Task
    from expunge.types import Context, Inputs, Samples


@dataclass(frozen=True, eq=False)
class Stream:
    """Samples to compute a loss on."""

    samples: Samples
    index: Tensor
    """int64 indices of the samples to use."""
    batch_size: int | None = None
    """Samples per step, over all devices; default: that of the training settings."""


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's share of a batch, on the device."""

    inputs: Any
    """The network's inputs: augmented, and converted by the task."""
    targets: Tensor
    """The targets of the task's loss, `(B, ...)`."""
    index: Tensor
    """int64 `(B,)`, on the CPU: the places of the samples among those of the stream."""
    size: int
    """Samples in the whole batch, over all processes."""
    counts: bool
    """False if the share is a stand-in, because this process has no samples."""


class Lane:
    """An endless iteration over a stream, with its own order and augmentation."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        batch_size: int,
        inputs: Inputs,
        task: Task,
        context: Context,
        *,
        first: bool,
    ) -> None:
        """`inputs` are the inputs of the stream's samples, on the device."""
        if len(stream.index) == 0:
            raise ConfigError(f"the stream {name!r} has no samples: expected at least one")
        self.batch_size = batch_size
        self._inputs, self._labels = inputs, stream.samples.labels
        self._index = stream.index.cpu()
        self._task, self._context = task, context
        # The first stream keeps the generators of single-stream training.
        self._order = context.generator("order" if first else f"order:{name}")
        # All processes draw the same numbers.
        self._draws = context.generator(f"augmentation:{0 if first else name}", context.device)
        self._noise = context.generator(f"task:{0 if first else name}", context.device)
        self._waiting: list[Tensor] = []

    def __len__(self) -> int:
        """Batches in one pass."""
        return batch_count(len(self._index), self.batch_size)

    @property
    def has_usual_batches(self) -> bool:
        """Whether the samples fill at least one batch."""
        return len(self._index) >= self.batch_size

    def first_inputs(self) -> Any:
        """The network's inputs for one batch, not augmented, as an example of a batch."""
        index, device = self._index[: self.batch_size], self._context.device
        drawn = self._task.draw(len(index), self._inputs.shape, torch.Generator(device))
        labels = self._labels[index].to(device)
        return self._task.example(next(self._inputs.batches([index])), labels, drawn)[0]

    def one_pass(self) -> Iterator[Batch]:
        """Every sample once, in a new order."""
        yield from self._shares(self._shuffled())

    def next_batches(self, count: int) -> Iterator[Batch]:
        """The next `count` batches, over several passes if needed."""
        while len(self._waiting) < count:
            self._waiting += self._shuffled()
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        yield from self._shares(taken)

    def _shuffled(self) -> list[Tensor]:
        return shuffled_batches(self._index, self.batch_size, self._order)

    def _shares(self, batches: list[Tensor]) -> Iterator[Batch]:
        fabric = self._context.fabric
        shares = augmented_shares(self._inputs, self._labels, batches, self._context, self._draws)
        for batch, (stored, labels) in zip(batches, shares, strict=True):
            size, mine = len(batch), own_share(len(batch), fabric)
            drawn = self._task.draw(size, self._inputs.shape, self._noise)
            share = {name: each[mine] for name, each in drawn.items()}
            inputs, targets = self._task.example(stored, labels, share)
            yield Batch(inputs, targets, batch[mine], size, counts=fabric.global_rank < size)
