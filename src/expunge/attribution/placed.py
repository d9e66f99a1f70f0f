"""A copy of a model on the device, in evaluation mode and full precision."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn


@contextmanager
def at_rest(model: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    """A copy of `model` on `device`, in evaluation mode; the model itself stays as it is."""
    from expunge.training.reproducibility import full_float32

    network = copy.deepcopy(model).to(device).eval()
    with full_float32():
        yield network
