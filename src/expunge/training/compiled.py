"""Compile a network for its device, or fall back to eager execution."""

import copy
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch import nn

from expunge.tasks.outputs import first_output
from expunge.types import Context


def compiled(model: nn.Module, inputs: Any, context: Context) -> nn.Module:
    """`model`, compiled for batches like `inputs`; it shares the model's weights.

    On CUDA, passes are replayed as CUDA graphs. If a copy of the model fails to compile or to run
    compiled, returns the model itself, with a warning.
    """
    mode = "reduce-overhead" if context.device.type == "cuda" else "default"
    # Try one step on a copy: this batch must not change the model's running statistics.
    probe = torch.compile(copy.deepcopy(model), mode=mode, dynamic=False)
    # In the dtype of training, for which a network is compiled anew.
    inputs = context.fabric.strategy.precision.convert_input(inputs)
    try:
        with context.fabric.autocast():
            torch.autograd.backward(first_output(probe(inputs)).float().sum())
    except torch.OutOfMemoryError:
        raise
    # Anything can fail here: devices have their own compilers.
    except Exception as error:
        warnings.warn(f"training runs uncompiled, and slower: {_first_line(error)}", stacklevel=3)
        return model
    return cast(nn.Module, torch.compile(model, mode=mode, dynamic=False))


def uncompiled(wanted: bool) -> AbstractContextManager[object]:
    """Run compiled networks eagerly inside the block, if `wanted`.

    Use it for batches of unusual size: each size would be compiled again.
    """
    return torch.compiler.set_stance("force_eager") if wanted else nullcontext()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
