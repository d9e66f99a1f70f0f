"""Convert decoded images to the requested channels and size."""

import numpy as np
import torch
from PIL import Image

from expunge.data.decode import Format, convert, fit, pixels
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.spec import DataSpec
from expunge.errors import DataError


def conform(
    images: ResidentImages | StreamedImages, spec: DataSpec
) -> ResidentImages | StreamedImages:
    """Images with the channels and size that the spec gives.

    Raises:
        DataError: they need a change and are not uint8.
    """
    if spec.image_size is None and spec.channels in (None, images.shape[0]):
        return images
    array = images.tensor.numpy()
    if array.dtype != np.uint8:
        raise DataError(
            f"{spec.source}: image_size and channels change images of uint8 only, "
            f"got {array.dtype}: leave them out, and change the arrays themselves"
        )
    channels, height, width = images.shape
    wanted = Format(
        channels=spec.channels or (3 if channels == 3 else 1),
        height=spec.image_size or height,
        width=spec.image_size or width,
        cut=True,
    )
    out = np.empty((len(array), wanted.channels, wanted.height, wanted.width), np.uint8)
    for row, image in enumerate(array):
        plane = image[0] if channels == 1 else image.transpose(1, 2, 0)
        out[row] = pixels(fit(convert(Image.fromarray(plane), wanted.channels), wanted))
    return ResidentImages(torch.from_numpy(out))
