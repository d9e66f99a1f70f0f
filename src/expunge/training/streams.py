"""Streams: sets of samples that training goes through side by side, a batch of each a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from expunge.errors import ConfigError
from expunge.training.batches import augmented_shares, batch_count, shuffled_batches

if TYPE_CHECKING:
    from expunge.tasks.task import Task
    from expunge.types import Context, Inputs, Samples


@dataclass(frozen=True, eq=False)
class Stream:
    """Samples that a loss is taken of."""

    samples: Samples
    index: Tensor
    """Which of them: int64 indices."""
    batch_size: int | None = None
    """Samples in one step, over all devices together; unset, as many as the training says."""


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's share of a batch, on the device."""

    inputs: Any
    """What the network is given: augmented, and as the task makes it of what is stored."""
    targets: Tensor
    size: int
    """Samples in the whole batch, over all processes."""
    counts: bool
    """Whether the share is this process's own; if not, it stands in for one without samples."""


class Lane:
    """A stream at work: in an order of its own, with augmentation of its own, as long as wanted."""

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
        """`inputs` are those of the stream's samples, handed out on the device."""
        if len(stream.index) == 0:
            raise ConfigError(f"the stream {name!r} has no samples: expected at least one")
        self.batch_size = batch_size
        self._inputs, self._labels = inputs, stream.samples.labels
        self._index = stream.index.cpu()
        self._task, self._context = task, context
        # The first keeps the generators that a loop of one stream has always had.
        self._order = context.generator("order" if first else f"order:{name}")
        # One stream of draws for all processes.
        self._draws = context.generator(f"augmentation:{0 if first else name}", context.device)
        self._waiting: list[Tensor] = []

    def __len__(self) -> int:
        """Batches in one pass."""
        return batch_count(len(self._index), self.batch_size)

    @property
    def has_usual_batches(self) -> bool:
        """Whether there are as many samples as a batch takes."""
        return len(self._index) >= self.batch_size

    def first_inputs(self) -> Any:
        """What the network is given of one batch, not augmented: to see what batches look like."""
        return self._task.inputs(next(self._inputs.batches([self._index[: self.batch_size]])))

    def one_pass(self) -> Iterator[Batch]:
        """Every sample once, in a new order."""
        yield from self._shares(self._shuffled())

    def next_batches(self, count: int) -> Iterator[Batch]:
        """The `count` batches that come next, in as many passes as that takes."""
        while len(self._waiting) < count:
            self._waiting += self._shuffled()
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        yield from self._shares(taken)

    def _shuffled(self) -> list[Tensor]:
        return shuffled_batches(self._index, self.batch_size, self._order)

    def _shares(self, batches: list[Tensor]) -> Iterator[Batch]:
        rank = self._context.fabric.global_rank
        shares = augmented_shares(self._inputs, self._labels, batches, self._context, self._draws)
        for batch, (stored, targets) in zip(batches, shares, strict=True):
            size = len(batch)
            yield Batch(self._task.inputs(stored), targets, size, counts=rank < size)
