"""The device, memory format and mode of a network while it computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn

from expunge.modes import mode


@contextmanager
def at_work(model: nn.Module, device: torch.device, *, training: bool) -> Iterator[None]:
    """Put `model` on `device`, channels-last, in the given mode; restore all three on exit.

    Convolutions are fastest in channels-last; files need contiguous weights. Inside a training loop
    the weights are channels-last already and stay so: otherwise a fused optimiser would apply the
    momentum of one weight to another.
    """
    home = next(model.parameters()).device
    in_a_loop = any(
        p.is_contiguous(memory_format=torch.channels_last) and not p.is_contiguous()
        for p in model.parameters()
        if p.ndim == 4
    )
    model.to(device)
    _lay_out(model, torch.channels_last)
    try:
        with mode(model, training=training):
            yield
    finally:
        if in_a_loop:
            model.to(home)
        else:
            place_back(model, home)


def place_back(model: nn.Module, device: torch.device) -> None:
    """Move `model` back to `device`, contiguous."""
    model.to(device)
    _lay_out(model, torch.contiguous_format)


def _lay_out(model: nn.Module, memory_format: torch.memory_format) -> None:
    """Lay out the weights of two-dimensional convolutions; `Module.to` takes no others beside."""
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.ndim == 4:
            tensor.data = tensor.data.to(memory_format=memory_format)
