"""What layers draw while they train."""

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
