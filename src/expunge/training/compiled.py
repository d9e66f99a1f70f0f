"""The network compiled for its device, behind one switch, with a way back."""

import copy
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from expunge.training.task import as_input
from expunge.types import Context, Inputs


def compiled(model: nn.Module, inputs: Inputs, batch: Tensor, context: Context) -> nn.Module:
    """`model`, compiled for batches like the one at the index `batch`; weights are the model's own.

    On CUDA the passes are replayed as CUDA graphs. Where a copy of the model cannot be compiled, or
    run when it is, the model itself is returned, with a warning.
    """
    mode = "reduce-overhead" if context.device.type == "cuda" else "default"
    (example,) = inputs.batches([batch])
    # A step of a copy: the model's own statistics are not to see the example.
    probe = torch.compile(copy.deepcopy(model).train(), mode=mode, dynamic=False)
    try:
        with context.fabric.autocast():
            probe(as_input(example)).float().sum().backward()
    except torch.OutOfMemoryError:
        raise
    # Whatever a compiler trips over: there is one for each device, and the system's own below it.
    except Exception as error:
        warnings.warn(
            f"training is not compiled, it only takes longer: {_first_line(error)}", stacklevel=3
        )
        return model
    return cast(nn.Module, torch.compile(model, mode=mode, dynamic=False))


def uncompiled(wanted: bool) -> AbstractContextManager[object]:
    """Inside, compiled networks run as they were written, if that is `wanted`.

    For batches of other sizes than the usual: each size would be compiled anew.
    """
    return torch.compiler.set_stance("force_eager") if wanted else nullcontext()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
