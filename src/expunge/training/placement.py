"""A network at work: where its weights lie, in which order, and in which mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def at_work(model: nn.Module, device: torch.device, *, training: bool) -> Iterator[None]:
    """Inside, `model` is on `device`, channels-last and in the mode; on leaving, as it was.

    Channels-last is the layout that convolutions are fastest in; files want weights contiguous. In
    a training loop they are channels-last already and stay so: a fused optimiser would else apply
    the momentum of one weight to another.
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
    """On the device that it came from, contiguous."""
    model.to(device)
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


@contextmanager
def mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put `model` in train or evaluation mode; on leaving, every module is as it was."""
    before = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was in before:
            module.training = was
