"""What curvature is computed over: batches that can be gone through again."""

from collections.abc import Callable, Iterator

from torch import Tensor

from expunge.batch import Batch

Batches = Callable[[], Iterator[tuple[Batch, Tensor]]]
"""Each call gives the same batches: inputs as the network takes them, labels int64 `(B,)`."""

Combine = Callable[[Tensor], Tensor]
"""Sums a tensor over the processes that share the batches; it may write over what it is given."""


def alone(tensor: Tensor) -> Tensor:
    """The sum over one process, which has all batches."""
    return tensor
