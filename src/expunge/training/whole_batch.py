"""Batch normalisation over a batch that is split over processes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def whole_batch(fabric: "Fabric", *, counts: bool = True) -> AbstractContextManager[object]:
    """Make batch normalisation in training mode use the statistics of all processes' samples.

    Without it each process would normalise its share alone, and the result would depend on the
    number of processes. All processes must run the forward pass inside the block together, and then
    the backward pass. Shares may differ in size; stand-in samples do not count. This replaces
    `torch.nn.functional.batch_norm` and does not touch modules. (`torch.nn.SyncBatchNorm` does not
    work on the CPU.)
    """
    return nullcontext() if fabric.world_size == 1 else _WholeBatch(float(counts))


class _WholeBatch(TorchFunctionMode):
    """Statistics in at least float32 over all processes' samples; `part` is this one's weight."""

    def __init__(self, part: float) -> None:
        super().__init__()
        self.part = part

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return (self.batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))

    def batch_norm(
        self,
        images: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        """`torch.nn.functional.batch_norm` of `(B, C, ...)`."""
        if not training:
            return F.batch_norm(images, running_mean, running_var, weight, bias, eps=eps)
        others = [0, *range(2, images.ndim)]
        channels = [1, -1] + [1] * (images.ndim - 2)
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        numbers = wide.new_full((1,), wide.numel() // wide.shape[1])
        sums = self._total(torch.cat([wide.sum(others), numbers]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        # In two passes: E[x²] − E[x]² would cancel.
        centred = wide - mean.view(channels)
        variance = self._total(centred.square().sum(others)) / count
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                unbiased = variance * (count / (count - 1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        scale = (variance + eps).rsqrt()
        scale = scale if weight is None else scale * weight
        normalised = centred * scale.view(channels)
        normalised = normalised if bias is None else normalised + bias.view(channels)
        return normalised.to(images.dtype)

    def _total(self, tensor: Tensor) -> Tensor:
        total: Tensor = _Total.apply(tensor * self.part)  # type: ignore[no-untyped-call]
        return total


class _Total(torch.autograd.Function):
    """The sum over all processes. Every loss depends on it, so gradients are summed too."""

    @staticmethod
    def forward(ctx: FunctionCtx, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        return _Total.forward(ctx, gradient)
