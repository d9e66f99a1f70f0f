"""The device, memory format and mode of a network while it computes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


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
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
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
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@contextmanager
def mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put `model` in training or evaluation mode; restore every module's mode on exit."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was in before:
            module.training = was
