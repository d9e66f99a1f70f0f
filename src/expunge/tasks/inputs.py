"""What a network is given, in the precision that is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from expunge.batch import Batch, map_batch


def cast_inputs(
    inputs: Batch,
    dtype: torch.dtype,
    memory_format: torch.memory_format = torch.preserve_format,
) -> Batch:
    """A batch with its floating-point numbers in `dtype`; whole ones, such as ids, stay as such."""

    def cast(tensor: Tensor) -> Tensor:
        chosen = dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(chosen, memory_format=memory_format)

    return map_batch(cast, inputs)
