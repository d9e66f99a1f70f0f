"""Run a network on made-up inputs, without side effects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from expunge.batch import Batch
from expunge.errors import ModelError, line_of
from expunge.modes import mode
from expunge.settings import InputKind

_SHAPES = {
    "images": "(channels, height, width)",
    "vectors": "(features)",
    "tokens": "(length), given as a dict of input_ids and attention_mask",
}


@contextmanager
def aside(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Run `model` in a mode; its modes, its buffers and global random state are put back."""
    cuda = {each.device for each in model.parameters() if each.device.type == "cuda"}
    held = [(module, dict(module._buffers)) for module in model.modules()]
    buffers = {buffer: buffer.clone() for buffer in model.buffers()}
    with torch.random.fork_rng(devices=list(cuda)), mode(model, training=training):
        try:
            yield
        finally:
            # The network may have put other tensors in their place.
            for module, own in held:
                module._buffers.update(own)
            with torch.no_grad():
                for buffer, value in buffers.items():
                    if not torch.equal(buffer, value):
                        buffer.copy_(value)


def example_batch(model: nn.Module, shape: tuple[int, ...], kind: InputKind = "images") -> Batch:
    """Two different inputs of `shape` in [0, 1], on the device of `model`; tokens are blank."""
    device = next((each.device for each in model.parameters()), None)
    if kind == "tokens":
        ids = torch.zeros((2, *shape), device=device, dtype=torch.int64)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    generator = torch.Generator().manual_seed(0)
    return torch.rand((2, *shape), generator=generator).to(device)


def probe(
    model: nn.Module, batch: Batch, shape: tuple[int, ...], kind: InputKind = "images"
) -> object:
    """The outputs of `model` for the task's inputs of an `example_batch`, in evaluation mode.

    Raises:
        ModelError: the model does not take such inputs.
    """
    with aside(model, training=False), torch.no_grad():
        try:
            return model(batch)
        except Exception as error:
            raise ModelError(
                f"the network does not take {kind} of shape {shape} "
                f"{_SHAPES[kind]}: {line_of(error)}"
            ) from error
