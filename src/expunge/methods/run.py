"""Run a method with checks and timing."""

import time
from typing import Any

from torch import nn

from expunge.errors import ConfigError
from expunge.methods.method import Method
from expunge.reuse import wait
from expunge.sparsity.mask import check_mask
from expunge.training.fit import check_finite
from expunge.types import Context, Split


def run_method(
    method: Method, model: nn.Module, split: Split, config: Any, context: Context
) -> tuple[nn.Module, float]:
    """The unlearned model, and the method's run time in seconds (run-time efficiency, RTE).

    The time covers everything the method computes, but not loading and evaluation. What it found
    computed already counts with the seconds that it took then.

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
    wait(context.device)
    start = time.perf_counter()
    unlearned = method.run(model, split, config, context)
    wait(context.device)
    seconds = time.perf_counter() - start + context.reuse.spared
    check_finite(unlearned, method.name)
    return unlearned, seconds
