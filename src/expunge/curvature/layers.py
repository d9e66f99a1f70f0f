"""Per-sample gradients of one layer, from its inputs and the gradients of its outputs.

Each rule takes inputs `(B, ...)` and output gradients `(B, K, ...)` of K functions per sample, and
returns gradients `(B, K, *shape)` by the parameter's name in the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm


def has_rule(module: nn.Module) -> bool:
    """Whether `layer_gradients` supports the type and configuration of `module`."""
    if type(module) not in _RULES:
        return False
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros" and not isinstance(module.padding, str)
    if isinstance(module, _BatchNorm):
        return module.running_mean is not None
    if isinstance(module, nn.Embedding):
        return not (module.scale_grad_by_freq or module.sparse or module.max_norm)
    return True


def layer_gradients(module: nn.Module, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    """Gradients `(B, K, *shape)` of the layer's parameters.

    `inputs` `(B, ...)` are the layer's inputs; `outputs` `(B, K, ...)` are the gradients of K
    functions per sample by the layer's outputs.
    """
    return _RULES[type(module)](module, inputs, outputs)


def rows(module: nn.Module) -> int:
    """The number of output channels that can be processed separately, or 1."""
    if isinstance(module, nn.Conv2d) and module.groups == 1:
        return module.out_channels
    return module.out_features if isinstance(module, nn.Linear) else 1


def narrow_rows(module: nn.Module, outputs: Tensor, start: int, count: int) -> Tensor:
    """The gradients of `count` output channels, or weight rows, from `start` on."""
    if rows(module) == 1:
        return outputs
    return outputs.narrow(2 if isinstance(module, nn.Conv2d) else -1, start, count)


def patches(module: nn.Conv2d, inputs: Tensor) -> Tensor:
    """What a convolution multiplies with its weight: `(B, C * kh * kw, positions)`.

    One copy of a strided view, which moves rows of the image, where `F.unfold` moves numbers.
    """
    (high, wide), (down, along) = module.kernel_size, module.dilation
    pad_y, pad_x = (int(pad) for pad in module.padding)
    padded = F.pad(inputs, (pad_x, pad_x, pad_y, pad_y)).contiguous()
    batch, channels, height, width = padded.shape
    step_y, step_x = module.stride
    places_y = (height - down * (high - 1) - 1) // step_y + 1
    places_x = (width - along * (wide - 1) - 1) // step_x + 1
    image, channel, row, column = padded.stride()
    view = padded.as_strided(
        (batch, channels, high, wide, places_y, places_x),
        (image, channel, down * row, along * column, step_y * row, step_x * column),
    )
    return view.reshape(batch, channels * high * wide, places_y * places_x)


def _conv2d(module: nn.Conv2d, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    batch, functions, channels = outputs.shape[:3]
    unfolded = patches(module, inputs)
    unfolded = unfolded.view(batch * module.groups, -1, unfolded.shape[-1])
    grouped = outputs.reshape(batch, functions, module.groups, channels // module.groups, -1)
    grouped = grouped.transpose(1, 2).flatten(0, 1).flatten(1, 2)
    weight = torch.bmm(grouped, unfolded.transpose(1, 2))
    weight = weight.view(batch, module.groups, functions, channels // module.groups, -1)
    weight = weight.transpose(1, 2).reshape(batch, functions, channels, *module.weight.shape[1:])
    return {"weight": weight, "bias": outputs.sum((3, 4))}


def _linear(module: nn.Module, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    tokens = inputs.flatten(1, -2) if inputs.ndim > 2 else inputs[:, None]
    outputs = outputs.flatten(2, -2) if inputs.ndim > 2 else outputs[:, :, None]
    weight = outputs.transpose(2, 3) @ tokens[:, None]
    return {"weight": weight, "bias": outputs.sum(2)}


def _channels(normalised: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    """One scale and shift per channel: `normalised` is `(B, C, ...)`."""
    weight = (outputs * normalised[:, None]).flatten(3).sum(3) if outputs.ndim > 3 else None
    if weight is None:
        return {"weight": outputs * normalised[:, None], "bias": outputs}
    return {"weight": weight, "bias": outputs.flatten(3).sum(3)}


def _batch_norm(module: _BatchNorm, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    normalised = F.batch_norm(inputs, module.running_mean, module.running_var, eps=module.eps)
    return _channels(normalised, outputs)


def _group_norm(module: nn.GroupNorm, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    return _channels(F.group_norm(inputs, module.num_groups, eps=module.eps), outputs)


def _layer_norm(module: nn.LayerNorm, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    normalised = F.layer_norm(inputs, module.normalized_shape, eps=module.eps)[:, None]
    inner = tuple(range(2, outputs.ndim - len(module.normalized_shape)))
    weight = outputs * normalised
    if not inner:
        return {"weight": weight, "bias": outputs}
    return {"weight": weight.sum(inner), "bias": outputs.sum(inner)}


def _prelu(module: nn.PReLU, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    """One slope for all negative inputs, or one per channel: `inputs` is `(B, C, ...)`."""
    slopes = outputs * inputs.clamp(max=0)[:, None]
    if module.num_parameters == 1:
        return {"weight": slopes.flatten(2).sum(2, keepdim=True)}
    return {"weight": slopes if slopes.ndim == 3 else slopes.flatten(3).sum(3)}


def _embedding(module: nn.Embedding, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    """Ids `(B, ...)` in, `(B, ..., E)` out: each id's row sums the gradients at its positions."""
    batch, functions = outputs.shape[:2]
    ids = inputs.reshape(batch, 1, -1, 1)
    outputs = outputs.reshape(batch, functions, ids.shape[2], -1)
    if module.padding_idx is not None:
        outputs = outputs * (ids != module.padding_idx)
    weight = outputs.new_zeros((batch, functions, *module.weight.shape))
    return {"weight": weight.scatter_add_(2, ids.expand_as(outputs), outputs)}


_RULES: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], dict[str, Tensor]]] = {
    nn.Conv2d: _conv2d,
    nn.Embedding: _embedding,
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
    nn.PReLU: _prelu,
}
