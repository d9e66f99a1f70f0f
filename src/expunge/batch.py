"""A batch as it is stored: one tensor, or tensors by name."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Batch = Tensor | dict[str, Tensor]
"""What a network is given: images `(B, C, H, W)`, vectors `(B, D)`, or, of tokens, int64 tensors
`(B, L)` by name: `input_ids`, `attention_mask` and perhaps `token_type_ids`."""


def map_batch(change: Callable[[Tensor], Tensor], batch: Batch) -> Batch:
    """`change` made to the tensor, or to each of the tensors, of a batch."""
    if isinstance(batch, Tensor):
        return change(batch)
    return {name: change(tensor) for name, tensor in batch.items()}
