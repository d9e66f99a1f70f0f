"""What the ℓ1 penalty and a mask add to a step of training."""

from statistics import median

import torch

from benchmarks import floors
from benchmarks.timing import Figure, Side, figure, in_turn, over
from benchmarks.workload import Workload
from expunge.settings import Training
from expunge.sparsity.mask import prunable
from expunge.training.fit import Penalty, fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context, Mask

RESNET20S = Workload("resnet20s", (3, 32, 32), 64)
NUMBER = 4
"""Bytes of a float32."""


def figures(rounds: int, work: Workload = RESNET20S, steps: int = 2) -> list[Figure]:
    model = work.build()
    mask = half(model)
    times = in_turn(
        {
            "plain": _fit(work, steps),
            "subgradient": _fit(work, steps, penalty=Penalty(gamma=1e-4)),
            "proximal": _fit(work, steps, penalty=Penalty(gamma=1e-4, form="proximal")),
            "mask": _fit(work, steps, mask=mask),
        },
        # A few percent take more rounds to tell than a factor does.
        6 * rounds,
    )
    weights = sum(p.numel() for p in model.parameters())
    masked = sum(kept.numel() for kept in mask.values())
    # Weights and gradients are read, gradients written; or weights read and written; or weights,
    # their momentum and the mask of both read, and the two written.
    moved = {
        "subgradient": 3 * weights * NUMBER,
        "proximal": 2 * weights * NUMBER,
        "mask": 6 * masked * NUMBER,
    }
    labels = {
        "subgradient": "ℓ1 step over a fine-tuning step, subgradient",
        "proximal": "ℓ1 step over a fine-tuning step, proximal",
        "mask": "step under a mask over a step without",
    }
    step = median(times["plain"]) / steps
    return [
        figure(
            f"{label}: {work.name}",
            over(times[side], times["plain"]),
            unit="of the time",
            better="lower",
            floor=1 + floors.memory_seconds(moved[side], work.device) / step,
            target=1.03,
        )
        for side, label in labels.items()
    ]


def half(model: torch.nn.Module) -> Mask:
    """A mask of every other weight, at random."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(weight.shape, generator=generator) < 0.5
        for name, weight in prunable(model).items()
    }


def _fit(
    work: Workload, steps: int, *, penalty: Penalty | None = None, mask: Mask | None = None
) -> Side:
    samples = work.samples(work.batch * steps)
    recipe = Training(epochs=1, batch_size=work.batch, lr=1e-3, schedule="constant")
    context = Context(fabric=work.fabric(), mask=mask)
    model = work.build()
    everything = torch.arange(len(samples))
    return lambda: fit(
        model, Stream(samples, everything), task_loss, recipe, context, penalty=penalty
    )
