"""ResNet-18 on the accelerator of this machine: what of its speed reaches the training loop.

How long recipes, methods and a whole grid take there, `expunge bench` and `benchmarks.recipes` say.
"""

import sys
from itertools import pairwise

import torch

from benchmarks import floors, overheads, prediction
from benchmarks.timing import Figure, Side, figure, in_turn, now, over, rates
from benchmarks.training_loop import bare, recipe_of
from benchmarks.workload import Workload
from expunge.graph.runtime import device_kind, precision_on
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

BATCH = 512
SIDE = 8192
"""Rows and columns of the matrices whose product is the ceiling."""


def figures(
    rounds: int, work: Workload | None = None, steps: int = 50, side: int = SIDE
) -> list[Figure]:
    """Nothing where there is no accelerator."""
    device = device_kind("auto")
    if work is None and device == "cpu":
        print("no accelerator here: nothing is measured of it", file=sys.stderr)
        return []
    work = work or Workload(
        "resnet18", (3, 32, 32), BATCH, precision_on(device, "auto"), device=device
    )
    return [
        floors.memory_figure(work),
        *floors.rate_figures(work, side),
        *_training(work, steps, rounds, side),
        *prediction.predicted(work, steps, rounds),
        *overheads.figures(rounds, work, steps),
    ]


def _training(work: Workload, steps: int, rounds: int, side: int) -> list[Figure]:
    images = work.batch * steps
    least = floors.step_seconds(work, images)
    ceiling = max(floors.product_rates(work.dtype, work.device, side))
    given = in_turn({"as written": bare(work, steps), "compiled": _warm(work, steps)}, rounds)
    # Compiling belongs to a run of the loop: its epochs are timed within one, the first left out.
    loops = {
        "as written": epochs(work, steps, rounds, compiled=False),
        "compiled": epochs(work, steps, rounds, compiled=True),
    }
    found = []
    for name, times in loops.items():
        speeds = rates(images, times)
        found += [
            figure(
                f"training loop, {name}: {work.name}, batches of {work.batch}",
                speeds,
                unit="images/s",
                floor=images / least,
                target=50_000 if name == "compiled" else None,
            ),
            figure(
                f"training loop, {name}, over the bare step, compiled: {work.name}",
                over(given["compiled"], times),
                unit="of the bare step's images per second",
                floor=1.0,
                target=0.9 if name == "compiled" else None,
            ),
            figure(
                f"training loop, {name}, of the rate of a matrix product: {work.name}",
                [100 * floors.flops(work).step * speed / ceiling for speed in speeds],
                unit="%",
                floor=100.0,
            ),
        ]
    found.append(
        figure(
            f"bare step, compiled, over the bare step as written: {work.name}",
            over(given["as written"], given["compiled"]),
        )
    )
    return found


def _warm(work: Workload, steps: int) -> Side:
    """The bare step, compiled, after it has been compiled."""
    side = bare(work, steps, compiled=True)
    side()
    return side


def epochs(work: Workload, steps: int, rounds: int, *, compiled: bool) -> list[float]:
    """Seconds of every epoch of `steps` steps but the first, in one run of the loop."""
    samples = work.samples(work.batch * steps)
    recipe = recipe_of(work, epochs=rounds + 1)
    context = Context(fabric=work.fabric(), augmentation=recipe.augmentation, compiled=compiled)
    ends: list[float] = []
    fit(
        work.build(),
        Stream(samples, torch.arange(len(samples))),
        task_loss,
        recipe,
        context,
        after_epoch=lambda _: ends.append(now()),
    )
    return [end - start for start, end in pairwise(ends[1:])]
