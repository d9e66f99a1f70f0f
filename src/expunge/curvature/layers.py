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

_FEW_ROWS = 64
"""With fewer rows, unfolding the patches dominates the time of the product."""


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


def _conv2d(module: nn.Conv2d, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
    batch, functions, channels = outputs.shape[:3]
    few = functions * channels < _FEW_ROWS
    if few and module.groups == 1 and module.stride[0] == module.stride[1] == 1:
        weight = _shifted(module, inputs, outputs.flatten(1, 2))
    else:
        weight = _unfolded(module, inputs, outputs)
    weight = weight.reshape(batch, functions, channels, *module.weight.shape[1:])
    return {"weight": weight, "bias": outputs.sum((3, 4))}


def _unfolded(module: nn.Conv2d, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Output gradients times patches, group by group: `(B, K, O, C/groups * kh * kw)`."""
    batch, functions, channels = outputs.shape[:3]
    patches = F.unfold(
        inputs,
        module.kernel_size,
        module.dilation,
        module.padding,  # type: ignore[arg-type]  # string paddings have no rule
        module.stride,
    )
    patches = patches.view(batch * module.groups, -1, patches.shape[-1])
    grouped = outputs.reshape(batch, functions, module.groups, channels // module.groups, -1)
    grouped = grouped.transpose(1, 2).flatten(0, 1).flatten(1, 2)
    weight = torch.bmm(grouped, patches.transpose(1, 2))
    weight = weight.view(batch, module.groups, functions, channels // module.groups, -1)
    return weight.transpose(1, 2)


def _shifted(module: nn.Conv2d, inputs: Tensor, outputs: Tensor) -> Tensor:
    """The same without strides and groups, from copies shifted along the width only.

    Shifts along the height are then slices, which need no copy: kw copies instead of kh * kw.
    """
    (high, wide), (down, along) = module.kernel_size, module.dilation
    height, width = outputs.shape[-2:]
    pad_y, pad_x = (int(pad) for pad in module.padding)
    padded = F.pad(inputs, (pad_x, pad_x, pad_y, pad_y))
    shifts = [padded[..., j * along : j * along + width] for j in range(wide)]
    copies = torch.stack(shifts, 2).flatten(3).flatten(1, 2)
    flat = outputs.flatten(2)
    products = [
        torch.bmm(flat, copies[..., at * width : (at + height) * width].transpose(1, 2))
        for at in range(0, high * down, down)
    ]
    weight = torch.stack(products, -1)
    return weight.view(*weight.shape[:2], -1, wide, high).transpose(-1, -2)


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
