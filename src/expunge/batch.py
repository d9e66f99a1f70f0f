"""A batch: one tensor, or tensors by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Batch = Tensor | dict[str, Tensor]
"""A network's inputs: images `(B, C, H, W)`, vectors `(B, D)`, or tokens as a dict of int64 tensors
`(B, L)`: `input_ids`, `attention_mask` and, for some networks, `token_type_ids`."""


def map_batch(change: Callable[[Tensor], Tensor], batch: Batch) -> Batch:
    """Apply `change` to the tensor, or to each tensor, of a batch."""
    if isinstance(batch, Tensor):
        return change(batch)
    return {name: change(tensor) for name, tensor in batch.items()}
