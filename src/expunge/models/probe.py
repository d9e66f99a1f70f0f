"""Run a network once on blank inputs, without side effects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from expunge.batch import Batch
from expunge.errors import ModelError
from expunge.settings import InputKind


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; modes and global random state are restored on exit."""
    modes = [(module, module.training) for module in model.modules()]
    cuda = {each.device for each in model.parameters() if each.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=list(cuda)), torch.no_grad():
            model.eval()
            yield
    finally:
        for module, mode in modes:
            module.training = mode


_SHAPES = {
    "images": "(channels, height, width)",
    "vectors": "(features)",
    "tokens": "(length), given as a dict of input_ids and attention_mask",
}


def probe(model: nn.Module, shape: tuple[int, ...], kind: InputKind = "images") -> object:
    """The output of `model` for two blank inputs of `shape`, in evaluation mode.

    Raises:
        ModelError: the model does not take such inputs.
    """
    first = next((each for each in model.parameters() if each.is_floating_point()), None)
    device = None if first is None else first.device
    dtype = None if first is None else first.dtype
    blank: Batch = torch.zeros((2, *shape), device=device, dtype=dtype)
    if kind == "tokens":
        ids = torch.zeros((2, *shape), device=device, dtype=torch.int64)
        blank = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with _evaluating(model):
        try:
            return model(blank)
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ModelError(
                f"the network does not take {kind} of shape {tuple(shape)} "
                f"{_SHAPES[kind]}: {reason}"
            ) from error
