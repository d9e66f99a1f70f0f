"""What a method did to the samples to retain: nothing much, damage to tell of, or divergence."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor, nn

from expunge.errors import DivergedError
from expunge.methods.method import Method
from expunge.training.inputs import input_batches
from expunge.training.placement import at_work
from expunge.training.reproducibility import full_float32
from expunge.types import Context, Split

SAMPLES = 256
"""Retained samples that are looked at, evenly spaced."""
FAR = 10.0
"""Points of accuracy on retained samples whose loss is told of."""
WORSE = 2.0
"""Times the mean loss of before, and of a guess among all classes, from which on a loss is told of.
Of a model that does not classify, only the loss of before counts.

A model that was near chance has no accuracy to lose.
"""


def look_at(
    method: Method,
    before: nn.Module,
    after: nn.Module,
    split: Split,
    config: Any,
    context: Context,
) -> tuple[str, ...]:
    """Notes on a result that is far worse than the model before, on up to 256 retained samples.

    Raises:
        DivergedError: an output is not finite; names the method and the settings to change.
    """
    count = min(SAMPLES, len(split.retain))
    index = split.retain[torch.linspace(0, len(split.retain) - 1, count).long()]
    found, losses = _outputs(after, split, index, context)
    broken = int((~found.isfinite()).flatten(1).any(1).sum())
    if broken:
        raise DivergedError(
            f"{method.name}: the outputs of {broken} of {count} retained samples are not finite: "
            f"{_advice(method, config)}"
        )
    first, losses_before = _outputs(before, split, index, context)
    lost, accuracies, guess = 0.0, "", 0.0
    if context.task.classifies:
        labels = split.train.labels[index]
        right, right_before = (
            100 * float((each.argmax(1) == labels).float().mean()) for each in (found, first)
        )
        lost, guess = right_before - right, math.log(found.shape[1])
        accuracies = f"accuracy went from {right_before:.1f} to {right:.1f} % and "
    loss, loss_before = float(losses.mean()), float(losses_before.mean())
    if lost <= FAR and loss <= WORSE * max(loss_before, guess):
        return ()
    change = f"from {loss_before:.3g} to {loss:.3g}"
    return (
        f"the result of {method.name} is far worse on retained samples than the model before: "
        f"{accuracies}the mean loss {'' if accuracies else 'went '}{change} "
        f"(n = {count} of {len(split.retain)}); {_advice(method, config)}",
    )


@torch.no_grad()
def _outputs(
    model: nn.Module, split: Split, index: Tensor, context: Context
) -> tuple[Tensor, Tensor]:
    """The outputs `(N, classes)` and losses `(N,)` for the samples at `index`, on the CPU."""
    outputs, losses = [], []
    with at_work(model, context.device, training=False), full_float32():
        for batch, targets in input_batches(model, split.train, index, 64, context, "look")():
            outputs.append(model(batch))
            losses.append(context.task.loss(outputs[-1], targets))
    return torch.cat(outputs).float().cpu(), torch.cat(losses).float().cpu()


def _advice(method: Method, config: Any) -> str:
    """What to change, with the present values of the settings that the advice names."""
    named = [name for name in re.findall(r"\w+", method.milder) if hasattr(config, name)]
    now = ", ".join(f"{name}={getattr(config, name)!r}" for name in named)
    return f"{method.milder} ({now})" if now else method.milder
