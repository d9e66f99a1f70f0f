"""One look at what a network does with images, which leaves no trace in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from expunge.errors import ModelError


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients; modes and global random state are put back."""
    modes = [(module, module.training) for module in model.modules()]
    cuda = {each.device for each in model.parameters() if each.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=list(cuda)), torch.no_grad():
            model.eval()
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def probe(model: nn.Module, image_shape: tuple[int, int, int]) -> object:
    """What `model` returns for two blank images of `(C, H, W)`, in evaluation mode.

    Raises:
        ModelError: the model does not take such images.
    """
    first = next((each for each in model.parameters() if each.is_floating_point()), None)
    device = None if first is None else first.device
    dtype = None if first is None else first.dtype
    images = torch.zeros((2, *image_shape), device=device, dtype=dtype)
    with _evaluating(model):
        try:
            return model(images)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ModelError(
                f"the network does not take images of shape {tuple(image_shape)} "
                f"(channels, height, width): {reason}"
            ) from error
