"""Inputs in one tensor on the compute device."""

from collections.abc import Iterable, Iterator
from typing import Self

import torch
from torch import Tensor


class ResidentTensor:
    """Samples in one tensor `(N, ...)` on the compute device.

    With `rows`, an int64 index into the tensor, they are a view of those samples in that order.
    """

    vocabulary: int | None = None

    def __init__(self, tensor: Tensor, rows: Tensor | None = None) -> None:
        self._tensor = tensor
        self._rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self._tensor.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """Of the tensor."""
        return self._tensor.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all samples."""
        return len(self) * self._tensor[:1].nbytes

    @property
    def tensor(self) -> Tensor:
        """All samples `(N, ...)`; a copy if this is a view."""
        if self._rows is None:
            return self._tensor
        return self._tensor.index_select(0, self._rows.to(self._tensor.device))

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._tensor if self._rows is None else self._rows)

    def to(self, device: torch.device) -> Self:
        """The same samples on `device`; a view moves only its own samples."""
        if self._tensor.to(device) is self._tensor:
            return self
        return type(self)(self.tensor.to(device))

    def take(self, index: Tensor) -> Self:
        """A view of the samples at `index`, int64 `(M,)`; the tensor is shared."""
        index = index.cpu()
        return type(self)(self._tensor, index if self._rows is None else self._rows[index])

    def batches(self, index: Iterable[Tensor]) -> Iterator[Tensor]:
        """For each int64 index `(B,)`, samples `(B, ...)` on the device.

        The indices of all batches go there at once: a copy for each would make the host wait for
        the device at every batch.
        """
        parts = list(index)
        if not parts:
            return
        rows = torch.cat(parts)
        if self._rows is not None:
            rows = self._rows[rows.cpu()]
        rows = rows.to(self._tensor.device)
        for some in torch.split(rows, [len(part) for part in parts]):
            yield self._tensor.index_select(0, some)
