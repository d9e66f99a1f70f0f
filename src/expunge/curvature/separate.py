"""Check that a network treats every sample of a batch by itself.

Otherwise the gradient of one sample does not exist, and curvature computed in batches depends on
which samples share a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from expunge.batch import Batch, map_batch
from expunge.errors import DivergedError, ModelError, some

FEW = 3
"""Samples used for checks."""


@torch.no_grad()
def check_separate(model: nn.Module, batch: Batch) -> None:
    """Refuse a network whose output for a sample depends on other samples, on chance or on state.

    Compares the outputs of the first samples of `batch` together, together again, and each alone.
    The model must be in evaluation mode.

    Raises:
        DivergedError: the outputs are not finite.
        ModelError: names the layer.
    """
    if mixing := [
        _named(name, module)
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is None
    ]:
        raise ModelError(_MIXES.format(some(mixing)))
    together = map_batch(lambda tensor: tensor[:FEW], batch)
    first = _outputs(model, together)
    if not bool(first.isfinite().all()):
        raise DivergedError(
            f"the outputs of {type(model).__name__} are not finite for the first of the samples"
        )
    if not _close(_outputs(model, together), first):
        raise ModelError(_CHANGES.format(_culprit(model, together, together, slice(None))))
    for row in range(len(first)):
        own = slice(row, row + 1)
        alone = map_batch(itemgetter(own), together)
        found = _outputs(model, alone)
        if found.shape != first[own].shape:
            raise ModelError(
                f"{type(model).__name__} gives outputs {tuple(found.shape)} for one sample: "
                f"expected {tuple(first[own].shape)}; squeeze() without a dimension drops the batch"
            )
        if not _close(found, first[own]):
            raise ModelError(_MIXES.format(_culprit(model, together, alone, own)))


_MIXES = (
    "{} mixes the samples of a batch, so the gradient of one sample does not exist: expected "
    "outputs that depend on their own sample alone; use batch normalisation with running "
    "statistics, group or layer normalisation, or a method without per-sample gradients"
)
_CHANGES = (
    "{} gives other outputs when it gets the same inputs again in evaluation mode: expected no "
    "random numbers and no state that changes"
)


def _outputs(model: nn.Module, batch: Batch) -> Tensor:
    found: Tensor = model(batch)
    return found


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal up to rounding, relative to their largest entry."""
    scale = torch.maximum(one.abs().max(), other.abs().max())
    return bool((one - other).abs().max() <= torch.finfo(one.dtype).eps ** 0.5 * scale)


def _named(name: str, module: nn.Module) -> str:
    kind = type(module).__name__
    return f"layer {name} ({kind})" if name else kind


def _culprit(model: nn.Module, one: Batch, other: Batch, rows: slice) -> str:
    """The first module to finish with equal inputs and different outputs, in `rows` of `one`."""
    for (name, module, given, output), (_, _, given_too, output_too) in zip(
        _trace(model, one), _trace(model, other), strict=False
    ):
        if (
            output[rows].shape == output_too.shape
            and given[rows].shape == given_too.shape
            and _close(given[rows], given_too)
            and not _close(output[rows], output_too)
        ):
            return _named(name, module)
    return type(model).__name__


def _trace(model: nn.Module, batch: Batch) -> Iterator[tuple[str, nn.Module, Tensor, Tensor]]:
    """Every module's call: its name, itself, its first input and its output, in float tensors."""
    ran: list[tuple[str, nn.Module, Tensor, Tensor]] = []

    def watch(name: str, module: nn.Module, given: tuple[object, ...], output: object) -> None:
        first = given[0] if given else None
        if isinstance(first, Tensor) and isinstance(output, Tensor) and output.is_floating_point():
            ran.append((name, module, first.detach().to(output.dtype, copy=True), output.clone()))

    hooks = [
        module.register_forward_hook(lambda m, i, o, name=name: watch(name, m, i, o))
        for name, module in model.named_modules()
    ]
    try:
        model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return iter(ran)
