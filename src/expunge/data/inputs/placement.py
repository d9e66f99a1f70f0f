"""Place inputs on the compute device, or stream them to it."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.settings import IMAGES_ON_DEVICE_BYTES
from expunge.types import Dataset, Inputs, Samples


def place(
    inputs: Inputs | np.ndarray[Any, Any],
    device: torch.device,
    budget_bytes: int = IMAGES_ON_DEVICE_BYTES,
) -> Inputs:
    """Inputs with batches on `device`: images that exceed the budget are streamed.

    Vectors and tokens, which are small, always live on the device.

    Raises:
        DataError: an array of another shape or dtype than images have.
    """
    if isinstance(inputs, np.ndarray):
        inputs = StreamedImages(inputs)
    if isinstance(inputs, StreamedImages) and inputs.nbytes <= budget_bytes:
        return ResidentImages(inputs.tensor.to(device))
    if isinstance(inputs, ResidentImages) and inputs.nbytes > budget_bytes:
        return StreamedImages(inputs.tensor.cpu().numpy(), device)
    return inputs.to(device)


def place_dataset(
    dataset: Dataset, device: torch.device, budget_bytes: int = IMAGES_ON_DEVICE_BYTES
) -> Dataset:
    """The dataset with batches on `device`; its images share one budget, training images first."""
    left = budget_bytes

    def placed(samples: Samples) -> Samples:
        nonlocal left
        inputs = place(samples.inputs, device, left)
        if isinstance(inputs, ResidentImages):
            left -= inputs.nbytes
        return replace(samples, inputs=inputs)

    return replace(
        dataset,
        train=placed(dataset.train),
        test=placed(dataset.test),
        validation=None if dataset.validation is None else placed(dataset.validation),
    )
