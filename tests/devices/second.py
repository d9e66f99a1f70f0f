"""A device that is not the processor, though the processor does its work: `twin`.

Its tensors do not mix with those of the processor, as a GPU's do not, and what is computed is the
same to the bit. It is for good: a process that has imported this module has two devices.
"""

from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators import Accelerator
from lightning_fabric.strategies import SingleDeviceStrategy
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from expunge.settings import derive_seed

_setup_privateuseone_for_python_backend("twin")
DEVICE = torch.device("twin", 0)

TAKES_BOTH = ("aten::_to_copy", "aten::copy_", "aten::index.", "aten::index_put")
"""What moves tensors between devices, and where a GPU takes indices that the processor has."""


class Twin(torch.Tensor):
    """A tensor of the second device; `kept` is on the processor."""

    @staticmethod
    def __new__(cls, kept):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            kept.shape,
            strides=kept.stride(),
            storage_offset=kept.storage_offset(),
            dtype=kept.dtype,
            device=DEVICE,
        )

    def __init__(self, kept):
        self.kept = kept

    @property
    def data(self):
        return torch.Tensor.data.__get__(self)

    @data.setter
    def data(self, other):
        torch.Tensor.data.__set__(self, other)
        self.kept = other.kept

    def __repr__(self):
        return f"Twin({self.kept})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _computed(func, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """Within it, tensors can be made on the second device and moved there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _computed(func, args, kwargs or {})


# PyTorch makes tensors of Python's numbers below the mode, in these two steps.
@torch.library.impl("aten::empty_strided", DEVICE.type)
def _empty(size, stride, dtype=None, layout=None, device=None, pin_memory=None):
    return Twin(torch.empty_strided(size, stride, dtype=dtype))


@torch.library.impl("aten::_copy_from", DEVICE.type)
def _copy(source, target, non_blocking=False):
    _kept(target).copy_(_kept(source))
    return target


class Generator(torch.Generator):
    """Says that it is of the second device, and draws the processor's numbers."""

    @property
    def device(self):
        return DEVICE


class TwinAccelerator(Accelerator):
    """What Lightning Fabric asks of an accelerator."""

    def setup_device(self, device: torch.device) -> None:
        assert device == DEVICE

    def teardown(self) -> None: ...

    @staticmethod
    def parse_devices(devices: Any) -> int:
        return 1

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [DEVICE]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return DEVICE.type


@contextmanager
def on_second_device():
    """A runtime without a device of its own works on the second one, in this process."""
    with (
        SecondDevice(),
        mock.patch("expunge.types.Context.generator", _generator),
        mock.patch("expunge.graph.runtime.Runtime.fabric", _fabric),
        mock.patch("torch.accelerator.synchronize"),
        # PyTorch has no views of such tensors in inference mode.
        mock.patch("torch.inference_mode", torch.no_grad),
    ):
        yield


def _fabric(runtime, precision):
    if precision not in runtime._fabrics:
        runtime._fabrics[precision] = Fabric(
            accelerator=TwinAccelerator(),
            strategy=SingleDeviceStrategy(device=DEVICE),
            devices=1,
            precision=precision,
        )
        runtime._fabrics[precision].launch()
    return runtime._fabrics[precision]


def _generator(context, purpose, device="cpu"):
    kind = torch.Generator if torch.device(device).type == "cpu" else Generator
    return kind().manual_seed(derive_seed(context.seed, purpose))


def _computed(func, args, kwargs):
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    twins = [each for each in tensors if isinstance(each, Twin)]
    others = [each for each in tensors if each.dim() and not isinstance(each, Twin)]
    if twins and others and not func.name().startswith(TAKES_BOTH):
        raise RuntimeError(f"{func.name()}: tensors of several devices")
    target = kwargs.get("device")
    there = bool(twins) if target is None else torch.device(target).type == DEVICE.type
    if func.name().startswith("aten::copy_"):
        there = isinstance(args[0], Twin)
    on_processor = kwargs if target is None else {**kwargs, "device": torch.device("cpu")}
    out = func(*tree_map(_kept, args), **tree_map(_kept, on_processor))
    if not there:
        return out
    out = tree_map(lambda each: Twin(each) if isinstance(each, torch.Tensor) else each, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if twins else out


def _kept(each):
    return each.kept if isinstance(each, Twin) else each
