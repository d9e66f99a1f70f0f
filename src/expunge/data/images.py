"""Images by index: resident on the compute device, or streamed to it from disk."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from expunge.errors import DataError
from expunge.types import Dataset, Inputs, Samples

DEFAULT_BUDGET_BYTES = 4 * 2**30
"""Images up to this size live on the device; larger sets are streamed to it."""


class ResidentImages:
    """Images in one tensor `(N, C, H, W)`, uint8 or float32, on the compute device.

    With `rows`, an int64 index into the tensor, they are a view of those images in that order.

    Raises:
        DataError: another shape or dtype.
    """

    def __init__(self, tensor: Tensor, rows: Tensor | None = None) -> None:
        _check(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        self._tensor = tensor
        self._rows = rows

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        _, channels, height, width = self._tensor.shape
        return channels, height, width

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return len(self) * self._tensor[:1].nbytes

    @property
    def tensor(self) -> Tensor:
        """All images `(N, C, H, W)`; a copy if this is a view."""
        if self._rows is None:
            return self._tensor
        return self._tensor.index_select(0, self._rows.to(self._tensor.device))

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._tensor if self._rows is None else self._rows)

    def to(self, device: torch.device) -> "ResidentImages":
        """The same images on `device`; of a view, only its own images go there."""
        if self._tensor.to(device) is self._tensor:
            return self
        return ResidentImages(self.tensor.to(device))

    def take(self, index: Tensor) -> "ResidentImages":
        """A view of the images at `index`, int64 `(M,)`; the tensor is shared."""
        index = index.cpu()
        return ResidentImages(self._tensor, index if self._rows is None else self._rows[index])

    def batches(self, index: Iterable[Tensor]) -> Iterator[Tensor]:
        """For each int64 index `(B,)`, images `(B, C, H, W)` on the device.

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


class StreamedImages:
    """Images in an array `(N, C, H, W)`, uint8 or float32, mostly a memory map of a file.

    A thread reads `prefetch` batches ahead of the one that is in use; it takes the indices of
    those batches that much earlier, too.

    Raises:
        DataError: another shape or dtype.
    """

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
        """The same images, handed out on `device`."""
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


def place(
    images: Inputs | np.ndarray[Any, Any],
    device: torch.device,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
) -> Inputs:
    """Images handed out on `device`: resident there if they fit the budget, else streamed.

    Raises:
        DataError: an array of another shape or dtype than images have.
    """
    if isinstance(images, np.ndarray):
        images = StreamedImages(images)
    if isinstance(images, StreamedImages):
        if images.nbytes <= budget_bytes:
            return ResidentImages(images.tensor.to(device))
        return images.to(device)
    if isinstance(images, ResidentImages):
        if images.nbytes <= budget_bytes:
            return images.to(device)
        return StreamedImages(images.tensor.cpu().numpy(), device)
    return images.to(device)


def place_dataset(
    dataset: Dataset, device: torch.device, budget_bytes: int = DEFAULT_BUDGET_BYTES
) -> Dataset:
    """The dataset with images handed out on `device`; all of it shares one budget, train first."""
    left = budget_bytes

    def placed(samples: Samples) -> Samples:
        nonlocal left
        images = place(samples.inputs, device, left)
        if isinstance(images, ResidentImages):
            left -= images.nbytes
        return replace(samples, inputs=images)

    return replace(
        dataset,
        train=placed(dataset.train),
        test=placed(dataset.test),
        validation=None if dataset.validation is None else placed(dataset.validation),
    )


def _check(shape: tuple[int, ...], dtype: str) -> None:
    if len(shape) != 4 or dtype not in ("uint8", "float32"):
        raise DataError(
            f"images must be uint8 or float32 of shape (N, C, H, W), got {dtype} of shape {shape}"
        )
