"""Seed random layers, and disable TF32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded_layers(device: torch.device, seed: int) -> Iterator[None]:
    """Seed random layers (dropout, stochastic depth) with `seed`.

    These layers use PyTorch's global generators, whose state is restored on exit.
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
    """Disable TF32, so that float32 products keep all 24 bits; restore the settings on exit.

    On recent NVIDIA hardware PyTorch computes float32 convolutions in TF32, with 11 bits, by
    default. That is too coarse for predictions, curvature and the theorem's distances.
    """
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
