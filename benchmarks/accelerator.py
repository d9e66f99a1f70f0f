"""ResNet-18 on the accelerator of this machine: what of its speed reaches the training loop.

How long recipes, methods and a whole grid take there, `expunge bench` and `benchmarks.recipes` say.
"""

import sys
import warnings
from collections.abc import Iterator
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
) -> Iterator[Figure]:
    """Nothing where there is no accelerator. Time on one may be short: the first come first."""
    device = device_kind("auto")
    if work is None and device == "cpu":
        print("no accelerator here: nothing is measured of it", file=sys.stderr)
        return
    work = work or Workload(
        "resnet18", (3, 32, 32), BATCH, precision_on(device, "auto"), device=device
    )
    yield floors.memory_figure(work)
    yield from floors.rate_figures(work, side)
    yield from prediction.predicted(work, steps, rounds)
    yield from _training(work, steps, rounds, side)
    yield from overheads.figures(rounds, work, steps)


def _training(work: Workload, steps: int, rounds: int, side: int) -> Iterator[Figure]:
    images = work.batch * steps
    least = floors.step_seconds(work, images)
    ceiling = max(floors.product_rates(work.dtype, work.device, side))
    given = in_turn({"as written": bare(work, steps), "compiled": _warm(work, steps)}, rounds)
    yield figure(
        f"bare step, compiled, over the bare step as written: {work.name}",
        over(given["as written"], given["compiled"]),
    )
    # Compiling belongs to a run of the loop: its epochs are timed within one, the first left out.
    for name in given:
        times = epochs(work, steps, rounds, compiled=name == "compiled")
        speeds = rates(images, times)
        yield figure(
            f"training loop, {name}: {work.name}, batches of {work.batch}",
            speeds,
            unit="images/s",
            floor=images / least,
            target=50_000 if name == "compiled" else None,
        )
        yield figure(
            f"training loop, {name}, over the bare step, {name}: {work.name}",
            over(given[name], times),
            unit="of the bare step's images per second",
            floor=1.0,
            target=0.9,
        )
        yield figure(
            f"training loop, {name}, of the rate of a matrix product: {work.name}",
            [100 * floors.flops(work).step * speed / ceiling for speed in speeds],
            unit="%",
            floor=100.0,
        )


def _warm(work: Workload, steps: int) -> Side:
    """The bare step, compiled, after it has been compiled."""
    side = bare(work, steps, compiled=True)
    side()
    return side


def epochs(work: Workload, steps: int, rounds: int, *, compiled: bool) -> list[float]:
    """Seconds of every epoch of `steps` steps but the first, in one run of the loop.

    A network that does not compile fails here: its times would bear the wrong name.
    """
    samples = work.samples(work.batch * steps)
    recipe = recipe_of(work, epochs=rounds + 1)
    context = Context(fabric=work.fabric(), augmentation=recipe.augmentation, compiled=compiled)
    ends: list[float] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "training runs uncompiled")
        fit(
            work.build(),
            Stream(samples, torch.arange(len(samples))),
            task_loss,
            recipe,
            context,
            after_epoch=lambda _: ends.append(now()),
        )
    return [end - start for start, end in pairwise(ends[1:])]
