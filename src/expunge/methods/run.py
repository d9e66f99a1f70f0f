"""Run a method with checks and timing."""

import time
from typing import Any

import torch
from torch import nn

from expunge.errors import ConfigError
from expunge.methods.method import Method
from expunge.sparsity.mask import check_mask
from expunge.training.fit import check_finite
from expunge.types import Context, Split


def run_method(
    method: Method, model: nn.Module, split: Split, config: Any, context: Context
) -> tuple[nn.Module, float]:
    """The unlearned model, and the method's run time in seconds (run-time efficiency, RTE).

    The time covers everything the method computes, but not loading and evaluation.

    Raises:
        ConfigError: the settings belong to another method.
        DivergedError: a weight of the result is not finite.
        MaskError: the mask does not belong to the model.
    """
    if type(config) is not method.config:
        raise ConfigError(
            f"method {method.name} takes {method.config.__name__}, got {type(config).__name__}"
        )
    if context.mask is not None:
        check_mask(model, context.mask)
    _wait(context.device)
    start = time.perf_counter()
    unlearned = method.run(model, split, config, context)
    _wait(context.device)
    seconds = time.perf_counter() - start
    check_finite(unlearned, method.name)
    return unlearned, seconds


def _wait(device: torch.device) -> None:
    """Wait for the device, which works asynchronously."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
