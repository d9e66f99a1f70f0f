"""The same numbers from the same seed, on any hardware: what layers draw, and float32 in full."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded_layers(device: torch.device, seed: int) -> Iterator[None]:
    """Layers that draw (dropout, stochastic depth) draw from `seed`, whatever was drawn before.

    They only know PyTorch's global generators: those are as before on leaving.
    """
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        # torch.manual_seed would reseed every accelerator too.
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


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
