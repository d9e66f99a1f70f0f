"""Squared per-sample gradients of one layer, summed over samples and functions.

The sum needs no gradient to be kept, and often none to be made. With a_l the inputs of a weight at
position l and g_kl the gradients of its outputs, the square of Σ_l g_kl a_lᵀ is a sum over pairs of
positions:

    Σ_k (Σ_l g_kl a_lᵀ)² = Σ_lm (Σ_k g_kl ⊙ g_km) (a_l ⊙ a_m)ᵀ.

For K functions and L positions, the right side takes L / K of the operations of the left one.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from expunge.curvature.layers import layer_gradients, narrow_rows, patches, rows

_IN_CACHE = 2**19
"""Numbers of gradients that a CPU makes and squares at once: no more than a cache holds."""
_ON_DEVICE = 2**26
"""The same of an accelerator, which would wait for many small products: 256 MiB of float32."""


def layer_squares(module: nn.Module, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    """The squares of `layer_gradients`, summed over `(B, K)`: `(*shape)` by the parameter's name.

    `inputs` is `(B, ...)`, `outputs` `(B, K, ...)`, which may be overwritten. Of gradients and
    pairs of positions, it takes whichever needs fewer operations.
    """
    if rows(module) > 1 and _positions(module, outputs) <= outputs.shape[1]:
        return _by_pairs(module, inputs, outputs)
    return _by_gradients(module, inputs, outputs)


def _by_gradients(module: nn.Module, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    """In blocks of samples, or of output channels of one sample."""
    weights = sum(p.numel() for p in module.parameters(recurse=False))
    size = max(outputs.shape[1] * weights, outputs[0].numel())
    numbers = _at_once(outputs)
    samples = max(1, numbers // size)
    channels = max(1, rows(module) * numbers // (samples * size))
    total: dict[str, Tensor] = {}
    for given, found in _by_samples(inputs, outputs, samples):
        blocks = [
            {
                name: gradients.square_().sum((0, 1))
                for name, gradients in layer_gradients(module, given, block).items()
            }
            for block in _blocks(module, found, channels)
        ]
        for name in blocks[0]:
            squares = torch.cat([block[name] for block in blocks])
            total[name] = total[name] + squares if name in total else squares
    return total


def _at_once(outputs: Tensor) -> int:
    return _IN_CACHE if outputs.device.type == "cpu" else _ON_DEVICE


def _blocks(module: nn.Module, outputs: Tensor, channels: int) -> list[Tensor]:
    """The output gradients of so many channels at a time."""
    whole = rows(module)
    starts = range(0, whole, channels)
    return [narrow_rows(module, outputs, at, min(channels, whole - at)) for at in starts]


def _positions(module: nn.Module, outputs: Tensor) -> int:
    """At how many positions of a sample a convolution or linear layer is applied."""
    sizes = outputs.shape[3:] if isinstance(module, nn.Conv2d) else outputs.shape[2:-1]
    return sizes.numel()


def _by_pairs(module: nn.Module, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    """In blocks of samples."""
    weight = module.get_parameter("weight")
    positions = _positions(module, outputs)
    samples = max(1, _at_once(outputs) // (positions**2 * weight[0].numel()))
    squares = torch.zeros_like(weight).flatten(1)
    bias = weight.new_zeros(len(weight))
    for given, found in _by_samples(inputs, outputs, samples):
        at_inputs, at_outputs = _by_position(module, given, found)
        of_inputs = (at_inputs[:, :, None] * at_inputs[:, None]).flatten(0, 2)
        by_channel = at_outputs.permute(3, 0, 2, 1)
        of_outputs = (by_channel @ by_channel.transpose(2, 3)).flatten(1)
        squares += of_outputs @ of_inputs
        bias += at_outputs.sum(2).square().sum((0, 1))
    # Products of different signs may cancel to a little less than zero.
    return {"weight": squares.clamp_(min=0).view_as(weight), "bias": bias}


def _by_position(module: nn.Module, inputs: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """What a weight is multiplied with, `(B, L, inputs)`, and its output gradients.

    These are `(B, K, L, outputs)`.
    """
    if isinstance(module, nn.Conv2d):
        return patches(module, inputs).transpose(1, 2), outputs.flatten(3).transpose(2, 3)
    if inputs.ndim == 2:
        return inputs[:, None], outputs[:, :, None]
    return inputs.flatten(1, -2), outputs.flatten(2, -2)


def _by_samples(inputs: Tensor, outputs: Tensor, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Both, so many samples at a time."""
    yield from zip(torch.split(inputs, samples), torch.split(outputs, samples), strict=True)
