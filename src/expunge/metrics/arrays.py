"""The arrays that metrics take, and checks of them."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from expunge.errors import DataError, TooFewSamplesError

LogitArray: TypeAlias = npt.NDArray[np.float32]
"""Logits `(N, classes)`, float32."""
LabelArray: TypeAlias = npt.NDArray[np.int64]
"""Labels or indices `(N,)`, int64."""
FloatArray: TypeAlias = npt.NDArray[np.float64]
"""Confidences `(N,)`, float64, 0-1."""
Flags: TypeAlias = npt.NDArray[np.bool_]
"""Flags `(N,)`."""


def check_predictions(logits: LogitArray, labels: LabelArray) -> None:
    """Refuse logits and labels that cannot be scored together.

    Raises:
        DataError: empty, of different lengths, not finite, or a label that is not a class.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise DataError(
            f"expected logits (N, classes) and labels (N,), got {logits.shape} and {labels.shape}"
        )
    if logits.size == 0:
        raise DataError(f"there is nothing to measure: the logits have shape {logits.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels must be integers, got {labels.dtype}")
    broken = int((~np.isfinite(logits)).any(axis=1).sum())
    if broken:
        raise DataError(f"the logits of {broken} of {len(logits)} samples are not finite")
    classes = logits.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"labels must be in 0..{classes - 1} for logits of {classes} classes, "
            f"got {labels.min()}..{labels.max()}"
        )


def check_confidences(name: str, values: FloatArray, least: int = 1) -> None:
    """Check for at least `least` probabilities in one dimension; `name` is for the message.

    Raises:
        TooFewSamplesError: too few.
        DataError: another shape, or a value outside 0-1.
    """
    if values.ndim != 1:
        raise DataError(f"{name} confidences must have shape (N,), got {values.shape}")
    if len(values) < least:
        raise TooFewSamplesError(
            f"the attack needs at least {least} {name} samples, got {len(values)}"
        )
    # This form refuses NaN, too.
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise DataError(f"{name} confidences must be in 0..1, got {values.min()}..{values.max()}")
