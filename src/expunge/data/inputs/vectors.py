"""Rows of numbers by index."""

import torch
from torch import Tensor

from expunge.data.inputs.resident import ResidentTensor
from expunge.errors import DataError
from expunge.settings import InputKind


class Vectors(ResidentTensor):
    """Vectors in one tensor `(N, D)`, float32, on the compute device.

    With `rows`, an int64 index into the tensor, they are a view of those vectors in that order.

    Raises:
        DataError: another shape or dtype.
    """

    kind: InputKind = "vectors"

    def __init__(self, tensor: Tensor, rows: Tensor | None = None) -> None:
        if tensor.ndim != 2 or tensor.dtype != torch.float32:
            raise DataError(
                f"vectors must be float32 of shape (N, D), got "
                f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"
            )
        super().__init__(tensor, rows)
