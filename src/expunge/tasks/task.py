"""What a task is: what the network is given, what its outputs are worth, and how that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.batch import Batch
    from expunge.settings import Training


class Task(Protocol):
    """What a network is trained for.

    Batches `(B, ...)` are as they are stored; targets `(B, ...)` are what `Samples.labels` holds.
    Outputs are whatever the network returns. Implementations are frozen: two that are equal compute
    the same.
    """

    @property
    def name(self) -> str:
        """What recipes and tables call it."""
        ...

    @property
    def version(self) -> int:
        """Raised when its numbers change; part of the id of every model that was trained for it."""
        ...

    def trained_by(self, training: Training) -> Self:
        """The same task, with what the training settings say of its loss."""
        ...

    def inputs(self, batch: Batch) -> Batch:
        """What the network is given of a batch as stored."""
        ...

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of every sample, `(B,)`."""
        ...

    def divergence(self, outputs: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(teacher ‖ network) of every sample, `(B,)`, of the softened predictions."""
        ...

    def outputs_to_record(self, outputs: Tensor) -> Tensor:
        """What the store keeps of outputs, float32 `(B, ...)`."""
        ...

    def probabilities(self, outputs: Tensor) -> Tensor:
        """The predictions p(y|x) `(B, classes)`, without a graph."""
        ...

    def log_probabilities(self, outputs: Tensor) -> Tensor:
        """The logarithms of p(y|x) `(B, classes)`, with the graph of `outputs`."""
        ...

    def cotangents(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The gradient of every sample's loss by its outputs, shaped as those, without a graph."""
        ...

    def gauss_newton(self, outputs: Tensor, vector: Tensor) -> Tensor:
        """The Hessian of every sample's loss by its outputs, times `vector`, shaped as both."""
        ...
