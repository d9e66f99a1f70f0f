"""Mean and standard deviation of the inputs, for the network's normalisation."""

from collections.abc import Iterator

import torch
from torch import Tensor

from expunge.types import Samples

_BATCH = 1024
_LEVELS = torch.arange(256, dtype=torch.float64) / 255


Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation per channel or feature."""


def input_statistics(samples: Samples) -> Statistics | None:
    """Mean and standard deviation of every channel of images, or every feature of vectors.

    None for tokens, which are not normalised. A channel or feature without variation gets the
    standard deviation 1, so that dividing by it is safe.
    """
    match samples.inputs.kind:
        case "images":
            return _of_channels(samples)
        case "vectors":
            return _of_features(samples)
        case _:
            return None


def _of_features(samples: Samples) -> Statistics:
    """In two passes, because the one-pass formula cancels for features far from zero."""
    total = torch.zeros(samples.inputs.shape, dtype=torch.float64)
    for batch in _batches(samples):
        total += batch.double().sum(0)
    mean = total / len(samples)
    squares = torch.zeros_like(mean)
    for batch in _batches(samples):
        squares += (batch.double() - mean).square().sum(0)
    std = (squares / len(samples)).sqrt()
    constant = std <= 1e-12 * mean.abs()
    return tuple(mean.tolist()), tuple(std.masked_fill(constant, 1).tolist())


def _batches(samples: Samples) -> Iterator[Tensor]:
    for batch in samples.inputs.batches(torch.split(torch.arange(len(samples)), _BATCH)):
        if isinstance(batch, Tensor):
            yield batch.cpu()


def _of_channels(samples: Samples) -> Statistics:
    """On the network's scale: uint8 pixels divided by 255, float32 unchanged."""
    total = torch.zeros(samples.inputs.shape[0], dtype=torch.float64)
    squares = torch.zeros_like(total)
    counts = torch.zeros(len(total), 256, dtype=torch.int64)
    for batch in _batches(samples):
        if batch.dtype == torch.uint8:
            for channel, pixels in enumerate(batch.unbind(1)):
                counts[channel] += torch.bincount(pixels.flatten(), minlength=256)
        else:
            pixels = batch.transpose(0, 1).flatten(1).double()
            total += pixels.sum(1)
            squares += pixels.square().sum(1)
    total += counts.double() @ _LEVELS
    squares += counts.double() @ _LEVELS.square()
    _, height, width = samples.inputs.shape
    count = len(samples) * height * width
    mean = total / count
    # Rounding may leave a constant channel with a variance of about 1e-17 instead of 0.
    variance = (squares / count - mean.square()).clamp_min(0)
    std = torch.where(variance > 1e-12, variance.sqrt(), torch.ones_like(variance))
    return tuple(mean.tolist()), tuple(std.tolist())
