"""One step of training, as a loss sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from expunge.errors import ConfigError, unknown
from expunge.tasks.task import Task
from expunge.training.streams import Batch


class Step:
    """Batches of the streams, and the outputs of the network and its teachers for them.

    Each value is computed once, on first use. The default stream is the leading one. Tensors cover
    this process's share of the batch: B samples.
    """

    def __init__(
        self,
        task: Task,
        leads: str,
        streams: Mapping[str, Iterator[Batch]],
        network: Callable[[Batch], Tensor],
        teachers: Mapping[str, Callable[[Batch], Tensor]],
    ) -> None:
        self.task = task
        """With the label smoothing of the training settings."""
        self.leads = leads
        self._streams, self._network, self._teachers = streams, network, teachers
        self._batches: dict[str, Batch] = {}
        self._outputs: dict[str, Tensor] = {}
        self._taught: dict[tuple[str, str], Tensor] = {}

    def batch(self, stream: str | None = None) -> Batch:
        """The batch of a stream.

        Raises:
            ConfigError: no stream has this name.
        """
        name = stream or self.leads
        if name not in self._batches:
            if name not in self._streams:
                raise ConfigError(unknown("stream", name, self._streams))
            self._batches[name] = next(self._streams[name])
        return self._batches[name]

    def outputs(self, stream: str | None = None) -> Tensor:
        """The network's outputs for the batch, `(B, ...)`."""
        name = stream or self.leads
        if name not in self._outputs:
            self._outputs[name] = self._network(self.batch(name))
        return self._outputs[name]

    def losses(self, stream: str | None = None) -> Tensor:
        """The task's loss of every sample, `(B,)`."""
        return self.task.loss(self.outputs(stream), self.batch(stream).targets)

    def losses_as(self, labels: Tensor, teacher: str, stream: str | None = None) -> Tensor:
        """The task's loss of every sample, `(B,)`, if they had `labels`, int64 `(B,)`.

        Where the task's targets are outputs themselves, they are the teacher's.

        Raises:
            ConfigError: no teacher or no stream has this name.
        """
        batch = self.batch(stream)

        def answer(inputs: Any) -> Tensor:
            return self._teacher(teacher)(replace(batch, inputs=inputs))

        targets = self.task.targets_as(labels, batch.inputs, answer)
        return self.task.loss(self.outputs(stream), targets)

    def teacher(self, teacher: str, stream: str | None = None) -> Tensor:
        """A frozen teacher's outputs for the batch, `(B, ...)`, without a graph.

        Raises:
            ConfigError: no teacher or no stream has this name.
        """
        key = teacher, stream or self.leads
        if key not in self._taught:
            self._taught[key] = self._teacher(teacher)(self.batch(stream))
        return self._taught[key]

    def _teacher(self, name: str) -> Callable[[Batch], Tensor]:
        if name not in self._teachers:
            raise ConfigError(unknown("teacher", name, self._teachers))
        return self._teachers[name]

    @property
    def seen(self) -> int:
        """Samples in the batches used so far, over all processes."""
        return sum(batch.size for batch in self._batches.values())


Loss = Callable[[Step], Tensor | Mapping[str, Tensor]]
"""From a step to the loss of every sample, `(B,)`: of the leading stream, or by stream name."""


@dataclass(frozen=True)
class Phase:
    """One pass over a stream with a loss."""

    leads: str
    """The stream; each of its samples is used once."""
    loss: Loss


def task_loss(step: Step) -> Tensor:
    """The task's loss on the leading stream."""
    return step.losses()
