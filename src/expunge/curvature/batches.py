"""Batches that can be iterated over repeatedly."""

from collections.abc import Callable, Iterator

from torch import Tensor

from expunge.batch import Batch

Batches = Callable[[], Iterator[tuple[Batch, Tensor]]]
"""Each call yields the same batches: network inputs and int64 labels `(B,)`."""

Combine = Callable[[Tensor], Tensor]
"""Sums a tensor over the processes that share the batches; it may overwrite its argument."""


def alone(tensor: Tensor) -> Tensor:
    """The sum over a single process, which has all batches."""
    return tensor
