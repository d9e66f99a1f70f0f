"""Where a network's weights lie, and in which order."""

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
