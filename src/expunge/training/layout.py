"""Where a network's weights lie, and in which order."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def place_for_work(model: nn.Module, device: torch.device) -> None:
    """On the compute device, channels-last: the layout that convolutions are fastest in."""
    model.to(device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def place_back(model: nn.Module, device: torch.device) -> None:
    """On the device that it came from, contiguous, as files want it."""
    model.to(device)
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@contextmanager
def placed_for_work(model: nn.Module, device: torch.device) -> Iterator[None]:
    """As `place_for_work`; on leaving, the weights are on their device and in their order again.

    In a training loop they lie channels-last already, and have to stay so: a fused optimiser would
    else apply the momentum of one weight to another.
    """
    home = next(model.parameters()).device
    in_a_loop = any(
        p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous()
        for p in model.parameters()
        if p.ndim == 4
    )
    place_for_work(model, device)
    try:
        yield
    finally:
        if in_a_loop:
            place_for_work(model, home)
        else:
            place_back(model, home)
