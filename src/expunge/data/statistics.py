"""Mean and standard deviation of the pixels, for the network's normalisation."""

import torch

from expunge.types import Samples

_BATCH = 1024
_LEVELS = torch.arange(256, dtype=torch.float64) / 255


def channel_statistics(samples: Samples) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of every channel over all pixels of all samples.

    On the scale that a network sees: uint8 pixels divided by 255, float32 as they are. A channel
    without variation gets the standard deviation 1, so that dividing by it is safe.
    """
    total = torch.zeros(samples.inputs.shape[0], dtype=torch.float64)
    squares = torch.zeros_like(total)
    counts = torch.zeros(len(total), 256, dtype=torch.int64)
    for batch in samples.inputs.batches(torch.split(torch.arange(len(samples)), _BATCH)):
        if batch.dtype == torch.uint8:
            for channel, pixels in enumerate(batch.cpu().unbind(1)):
                counts[channel] += torch.bincount(pixels.flatten(), minlength=256)
        else:
            pixels = batch.cpu().transpose(0, 1).flatten(1).double()
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
