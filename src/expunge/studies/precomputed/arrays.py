"""Arrays that others wrote: logits, margins, labels and indices, `.npy` or `.pt`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from expunge.errors import DataError, ExpungeError, shown

Array = npt.NDArray[Any]


def margins_in(path: Path) -> npt.NDArray[np.float32]:
    """The margins of one model, `(N,)` float32.

    Raises:
        DataError: the file is damaged, or holds something else.
    """
    found = _numbers(path, "margins")
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or not found.size:
        raise DataError(f"{path}: expected margins (N,), got {found.shape}")
    if np.isnan(found).any():
        raise DataError(f"{path}: {int(np.isnan(found).sum())} of {len(found)} are not numbers")
    return found


def logits_in(path: Path) -> npt.NDArray[np.float32]:
    """The logits of one model, `(N, classes)` float32.

    Raises:
        DataError: the file is damaged, or holds something else.
    """
    found = _numbers(path, "logits")
    if found.ndim != 2 or not len(found) or found.shape[1] < 2:
        raise DataError(f"{path}: expected logits (N, classes), got {found.shape}")
    if broken := int((~np.isfinite(found)).any(axis=1).sum()):
        raise DataError(f"{path}: the logits of {broken} of {len(found)} samples are not finite")
    return found


def integers_in(path: Path, what: str) -> npt.NDArray[np.int64]:
    """Labels or indices, `(N,)` int64; `what` says which.

    Raises:
        DataError: the file is damaged, or holds something else.
    """
    found = _array(path, what)
    if found.ndim != 1 or not found.size or not np.issubdtype(found.dtype, np.integer):
        raise DataError(f"{path}: expected {what} (N,), integers, got {found.dtype} {found.shape}")
    if found.min() < 0 or found.max() > np.iinfo(np.int64).max:
        raise DataError(f"{path}: expected {what} of 0 or more, got {found.min()}..{found.max()}")
    return found.astype(np.int64)


def _numbers(path: Path, what: str) -> npt.NDArray[np.float32]:
    found = _array(path, what)
    if not np.issubdtype(found.dtype, np.floating):
        raise DataError(f"{path}: expected {what} as floats, got {found.dtype}")
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def _array(path: Path, what: str) -> Array:
    """What a file holds; of a `.pt` with a dict in it, what stands under `what`."""
    try:
        return _loaded(path, what)
    except ExpungeError:
        raise
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # a damaged file can fail in any way
        raise DataError(
            f"{path} is damaged, or holds more than numbers ({type(error).__name__})"
        ) from None


def _loaded(path: Path, what: str) -> Array:
    if path.suffix == ".npy":
        # Mapped: a header that lies about the size is refused before memory is asked for.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    import torch

    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, Mapping):
        if what not in found:
            raise DataError(f"{path}: expected a tensor or {what!r} in it, got {shown([*found])}")
        found = found[what]
    if not isinstance(found, torch.Tensor) or found.layout != torch.strided:
        raise DataError(f"{path}: expected a dense tensor, got {type(found).__name__}")
    if found.dtype == torch.bfloat16:
        found = found.float()
    return found.detach().numpy()
