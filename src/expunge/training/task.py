"""The task: from a batch of inputs and labels to logits and per-sample losses."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from expunge.types import Batch, map_batch


def as_input(batch: Batch) -> Batch:
    """What a network is given: uint8 images as float32 in 0-1, all else as it is.

    Four-dimensional batches come channels-last, the layout that convolutions are fastest in.
    """
    return map_batch(_as_input, batch)


def as_dtype(batch: Batch, dtype: torch.dtype) -> Batch:
    """What a network is given, in rows in the usual order; numbers that are no ids as `dtype`."""

    def change(tensor: Tensor) -> Tensor:
        chosen = dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(chosen, memory_format=torch.contiguous_format)

    return map_batch(change, batch)


def _as_input(images: Tensor) -> Tensor:
    if images.dtype == torch.uint8:
        images = images.to(torch.float32, memory_format=torch.channels_last).div_(255)
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def losses(
    model: nn.Module, batch: Batch, labels: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Per-sample cross-entropy `(B,)` and logits `(B, classes)` of inputs as stored."""
    logits = model(as_input(batch))
    loss = F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    return loss, logits
