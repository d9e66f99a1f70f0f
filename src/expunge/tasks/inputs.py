"""Convert a network's inputs to a given precision."""

from __future__ import annotations

import torch
from torch import Tensor

from expunge.batch import Batch, map_batch


def cast_inputs(
    inputs: Batch,
    dtype: torch.dtype,
    memory_format: torch.memory_format = torch.preserve_format,
) -> Batch:
    """A batch with its floating-point tensors in `dtype`; integers, such as token ids, are kept."""

    def cast(tensor: Tensor) -> Tensor:
        chosen = dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(chosen, memory_format=memory_format)

    return map_batch(cast, inputs)
