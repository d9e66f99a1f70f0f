"""Float32 that is float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """Convolutions and products in float32 keep its 24 bits; on leaving, settings are as before.

    On recent NVIDIA hardware PyTorch multiplies float32 convolutions in TF32, with 11 bits, unless
    told otherwise. Predictions, curvature and the theorem's distances are not to be rounded so.
    """
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
