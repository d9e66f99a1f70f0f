"""Images by index: resident on the compute device, or streamed to it from disk."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from expunge.data.inputs.resident import ResidentTensor
from expunge.errors import DataError
from expunge.settings import InputKind


class ResidentImages(ResidentTensor):
    """Images in one tensor `(N, C, H, W)`, uint8 or float32, on the compute device.

    With `rows`, an int64 index into the tensor, they are a view of those images in that order.

    Raises:
        DataError: another shape or dtype.
    """

    kind: InputKind = "images"

    def __init__(self, tensor: Tensor, rows: Tensor | None = None) -> None:
        _check(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        super().__init__(tensor, rows)


class StreamedImages:
    """Images in an array `(N, C, H, W)`, uint8 or float32, mostly a memory map of a file.

    A thread reads `prefetch` batches ahead of the one that is in use; it takes the indices of
    those batches that much earlier, too.

    Raises:
        DataError: another shape or dtype.
    """

    kind: InputKind = "images"
    vocabulary: int | None = None

    def __init__(
        self,
        array: np.ndarray[Any, Any],
        device: torch.device | None = None,
        *,
        rows: Tensor | None = None,
        prefetch: int = 3,
    ) -> None:
        _check(array.shape, str(array.dtype))
        self._array = array
        self._device = torch.device("cpu") if device is None else device
        self._rows = rows
        self._prefetch = prefetch

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        _, channels, height, width = self._array.shape
        return channels, height, width

    @property
    def dtype(self) -> torch.dtype:
        """uint8 or float32."""
        return torch.uint8 if self._array.dtype == np.uint8 else torch.float32

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return len(self) * self._array[:1].nbytes

    @property
    def tensor(self) -> Tensor:
        """All images `(N, C, H, W)`, copied into memory."""
        if self._rows is None:
            return torch.from_numpy(np.array(self._array))
        return self._read(torch.arange(len(self)))

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._array if self._rows is None else self._rows)

    def to(self, device: torch.device) -> "StreamedImages":
        """The same images, with batches on `device`."""
        return StreamedImages(self._array, device, rows=self._rows, prefetch=self._prefetch)

    def take(self, index: Tensor) -> "StreamedImages":
        """A view of the images at `index`, int64 `(M,)`; the array is shared."""
        rows = index.cpu() if self._rows is None else self._rows[index.cpu()]
        return StreamedImages(self._array, self._device, rows=rows, prefetch=self._prefetch)

    def batches(self, index: Iterable[Tensor]) -> Iterator[Tensor]:
        """For each int64 index `(B,)`, images `(B, C, H, W)` on the device."""
        waiting: deque[Future[Tensor]] = deque()
        reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="expunge-images")
        try:
            for rows in index:
                waiting.append(reader.submit(self._read, rows))
                if len(waiting) > self._prefetch:
                    yield self._deliver(waiting.popleft())
            while waiting:
                yield self._deliver(waiting.popleft())
        finally:
            # Also reached when the consumer stops early: the thread must not outlive the loop.
            reader.shutdown(wait=True, cancel_futures=True)

    def _read(self, rows: Tensor) -> Tensor:
        rows = rows.cpu() if self._rows is None else self._rows[rows.cpu()]
        batch = torch.from_numpy(np.asarray(self._array)[rows.numpy()])
        # Only from pinned memory does the copy to the device run beside the computation.
        return batch.pin_memory() if self._device.type == "cuda" else batch

    def _deliver(self, batch: "Future[Tensor]") -> Tensor:
        return batch.result().to(self._device, non_blocking=True)


def _check(shape: tuple[int, ...], dtype: str) -> None:
    if len(shape) != 4 or dtype not in ("uint8", "float32"):
        raise DataError(
            f"images must be uint8 or float32 of shape (N, C, H, W), got {dtype} of shape {shape}"
        )
