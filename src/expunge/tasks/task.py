"""The protocol of a task: the network's inputs, the loss of its outputs, and its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from expunge.batch import Batch
    from expunge.settings import Training


class Task(Protocol):
    """What a network is trained for.

    Batches `(B, ...)` are as stored; targets `(B, ...)` come from `example`. Outputs are whatever
    the network returns. Implementations are frozen: equal instances compute the same.
    """

    @property
    def name(self) -> str:
        """Its name in recipes and tables."""
        ...

    @property
    def version(self) -> int:
        """Increased when its results change; part of the id of every model trained for it."""
        ...

    @property
    def classifies(self) -> bool:
        """Whether outputs are the logits of classes, so that predictions have an accuracy."""
        ...

    def output_shape(self, shape: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
        """The shape of the outputs for one input of `shape`."""
        ...

    def trained_by(self, training: Training) -> Self:
        """The same task with the loss settings of `training`, such as label smoothing."""
        ...

    def inputs(self, batch: Batch) -> Batch:
        """A batch as stored, converted to the network's range of values."""
        ...

    def draw(
        self, count: int, shape: tuple[int, ...], generator: Generator
    ) -> Mapping[str, Tensor]:
        """What a step draws for `count` samples of `shape`, tensors `(count, ...)` by name.

        They are on the generator's device. Nothing for a task whose loss is not random.
        """
        ...

    def example(
        self, batch: Batch, labels: Tensor, drawn: Mapping[str, Tensor]
    ) -> tuple[Batch, Tensor]:
        """The network's inputs and the targets of its loss, from a batch as stored.

        `labels` are the classes, int64 `(B,)`; `drawn` is what `draw` gave for these samples.
        """
        ...

    def targets_as(
        self, labels: Tensor, inputs: Batch, answer: Callable[[Batch], Tensor]
    ) -> Tensor:
        """The targets that the samples of `inputs` would have with other labels, int64 `(B,)`.

        `answer` gives a trained network's outputs for inputs, without a graph.
        """
        ...

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of every sample, `(B,)`."""
        ...

    def divergence(self, outputs: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(teacher ‖ network) of the softened predictions for every sample, `(B,)`."""
        ...

    def outputs_to_record(self, outputs: Tensor) -> Tensor:
        """The outputs as the store keeps them, float32 `(B, ...)`."""
        ...

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The predictions p(y|x) `(B, classes)`, without a graph."""
        ...

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """The logarithms of p(y|x) `(B, classes)`, with the graph of `outputs`."""
        ...

    def cotangents(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The gradient of each loss by its outputs, in their shape, without a graph."""
        ...

    def gauss_newton(self, outputs: Tensor, vector: Tensor) -> Tensor:
        """The Hessian of each loss by its outputs, times `vector`, in their shape."""
        ...
