"""The task: from a batch of images and labels to logits and per-sample losses."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def as_input(images: Tensor) -> Tensor:
    """What a network is given: uint8 images as float32 in 0-1, float images as they are.

    Four-dimensional batches come channels-last, the layout that convolutions are fastest in.
    """
    if images.dtype == torch.uint8:
        images = images.to(torch.float32, memory_format=torch.channels_last).div_(255)
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def losses(
    model: nn.Module, images: Tensor, labels: Tensor, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Per-sample cross-entropy `(B,)` and logits `(B, classes)` of images as stored."""
    logits = model(as_input(images))
    loss = F.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)
    return loss, logits
