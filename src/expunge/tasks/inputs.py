"""What a network is given, in the precision that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def cast_inputs(
    inputs: Any,
    dtype: torch.dtype,
    memory_format: torch.memory_format = torch.preserve_format,
) -> Any:
    """A tensor, or a mapping to tensors, with its floating-point numbers in `dtype`.

    Whole numbers, such as tokens, stay as they are.
    """
    if isinstance(inputs, Mapping):
        return {name: cast_inputs(each, dtype, memory_format) for name, each in inputs.items()}
    if not inputs.is_floating_point():
        return inputs
    return inputs.to(dtype, memory_format=memory_format)
