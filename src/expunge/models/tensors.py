"""What kinds of tensors weights may be."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def oddity(tensor: Tensor) -> str | None:
    """What a tensor is if it is not a dense one with a shape and values; None if it is."""
    if nn.parameter.is_lazy(tensor):
        return "a parameter without a shape yet"
    if tensor.is_meta:
        return "without values, on the meta device"
    if tensor.is_quantized:
        return f"quantised, {tensor.dtype}"
    return None if tensor.layout == torch.strided else str(tensor.layout)
