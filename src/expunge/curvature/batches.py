"""What curvature is computed over: batches that can be gone through again."""

from collections.abc import Callable, Iterator

from torch import Tensor

Batches = Callable[[], Iterator[tuple[Tensor, Tensor]]]
"""Each call gives the same batches: images as the network takes them, labels int64 `(B,)`."""
