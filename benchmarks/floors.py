"""What the machine itself does, measured in the same run: the least time that work can take.

Work of many operations per byte is bounded by the rate of convolutions and products, other work by
the bandwidth of the memory. A floor takes the best rate of all rounds.
"""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import Figure, Side, figure, in_turn, rates
from benchmarks.workload import Workload, native_precisions

ROUNDS = 5
SIDE = 1024
"""Rows and columns of the matrices."""
COPIED = 2**26
"""Numbers of float32 that are copied: more than any cache holds."""


class Flops(NamedTuple):
    """Floating-point operations of a pass; a multiplication with its addition is two."""

    forward: float
    backward: float

    @property
    def step(self) -> float:
        """Of a forward and a backward pass."""
        return self.forward + self.backward


class Convolution(NamedTuple):
    """One convolution of a network, as it is called."""

    images: tuple[int, ...]
    weight: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]


def figures(rounds: int, work: Workload | None = None) -> list[Figure]:
    """The rates themselves; they have no floor."""
    work = work or Workload("resnet20s", (3, 32, 32), 256)
    by_precision = [replace(work, precision=each) for each in native_precisions()]
    return [
        memory_figure(work),
        *(each for one in by_precision for each in rate_figures(one, SIDE)),
    ]


def memory_figure(work: Workload) -> Figure:
    place = "memory" if work.device == "cpu" else f"memory of {work.device}"
    return figure(f"{place} copied, read and written", scaled(copy_rates(work.device)), unit="GB/s")


def rate_figures(work: Workload, side: int) -> list[Figure]:
    """Of products of matrices of `side` rows, and of the network's convolutions."""
    place = "" if work.device == "cpu" else f", {work.device}"
    kind = str(work.dtype).removeprefix("torch.")
    return [
        figure(
            f"matrix product, {side}x{side}, {kind}{place}",
            scaled(product_rates(work.dtype, work.device, side)),
            unit="GFLOP/s",
        ),
        figure(
            f"convolutions, channels-last, batches of {work.batch}: {work.name}",
            scaled(convolution_rates(work)),
            unit="GFLOP/s",
        ),
    ]


def scaled(values: list[float]) -> list[float]:
    """In thousands of millions."""
    return [value / 1e9 for value in values]


@cache
def flops(work: Workload) -> Flops:
    """Of one image; batch normalisation and activations are not counted."""
    images = torch.rand(2, *work.shape)
    counted = count(work.build(), images, torch.zeros(2, dtype=torch.int64))
    return Flops(counted.forward / len(images), counted.backward / len(images))


def count(model: nn.Module, images: Tensor, labels: Tensor) -> Flops:
    """Of one batch's cross-entropy and its gradient."""
    with FlopCounterMode(display=False) as forward:
        loss = F.cross_entropy(model(images), labels)
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    return Flops(forward.get_total_flops(), backward.get_total_flops())


def step_seconds(work: Workload, images: int) -> float:
    """The least for forward and backward passes over so many images."""
    return images * flops(work).step / max(convolution_rates(work))


def forward_seconds(work: Workload, images: int) -> float:
    """The least for forward passes."""
    return images * flops(work).forward / max(convolution_rates(work))


def backward_seconds(work: Workload, images: int) -> float:
    """The least for backward passes."""
    return images * flops(work).backward / max(convolution_rates(work))


def product_seconds(operations: float) -> float:
    """The least for products of matrices in float32."""
    return operations / max(product_rates(torch.float32, "cpu", SIDE))


def memory_seconds(moved: float, device: str = "cpu") -> float:
    """The least for so many bytes, read or written."""
    return moved / max(copy_rates(device))


@cache
def product_rates(dtype: torch.dtype, device: str, side: int) -> list[float]:
    """Operations a second of one product of large square matrices."""
    left, right = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    return _rates(2 * side**3, lambda: left @ right)


@cache
def copy_rates(device: str) -> list[float]:
    """Bytes a second, read and written, of a large copy."""
    source = torch.rand(COPIED, device=device)
    target = torch.empty_like(source)
    # An accelerator copies in less time than it takes to start and to wait for it.
    times = 1 if device == "cpu" else 20

    def copy() -> None:
        for _ in range(times):
            target.copy_(source)

    return _rates(2 * times * source.nbytes, copy)


@cache
def convolution_rates(work: Workload) -> list[float]:
    """Operations a second of the network's convolutions, forward, channels-last, nothing else."""
    calls = convolutions(work.build(), torch.rand(1, *work.shape))

    def tensor(shape: tuple[int, ...]) -> Tensor:
        return torch.rand(shape, device=work.device).to(
            work.dtype, memory_format=torch.channels_last
        )

    inputs = {call.images: tensor((work.batch, *call.images[1:])) for call in calls}
    weights = {call.weight: tensor(call.weight) for call in calls}

    @torch.no_grad()
    def convolve() -> None:
        for call in calls:
            F.conv2d(inputs[call.images], weights[call.weight], None, call.stride, call.padding)

    with FlopCounterMode(display=False) as counter:
        convolve()
    return _rates(counter.get_total_flops(), convolve)


def convolutions(model: nn.Module, images: Tensor) -> list[Convolution]:
    """Every convolution that the model does on `images`."""
    found = []

    def note(module: nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        padding = tuple(int(side) for side in module.padding)
        weight = tuple(module.weight.shape)
        found.append(Convolution(tuple(inputs[0].shape), weight, module.stride, padding))

    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad():
        model.eval()(images)
    for hook in hooks:
        hook.remove()
    return found


def _rates(amount: float, side: Side) -> list[float]:
    return rates(amount, in_turn({"": side}, ROUNDS)[""])
