"""The training loop against a bare forward, backward and step, and against a usual pipeline."""

import os
from dataclasses import replace
from statistics import median

import torch
from torch.nn import functional as F

from benchmarks import floors, per_image
from benchmarks.timing import Figure, Side, figure, in_turn, over, rates
from benchmarks.workload import Workload, native_precisions
from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

RESNET20S = Workload("resnet20s", (3, 32, 32), 256)
RESNET8 = Workload("resnet8", (1, 8, 8), 256)


def figures(
    rounds: int,
    work: Workload = RESNET20S,
    steps: int = 4,
    small: Workload = RESNET8,
    small_steps: int = 40,
) -> list[Figure]:
    found = []
    for precision in native_precisions():
        found += _with_images(replace(work, precision=precision), steps, rounds)
    loop = in_turn({"ours": ours(small, small_steps), "bare": bare(small, small_steps)}, rounds)
    return [*found, _over_bare(small, loop)]


def _with_images(work: Workload, steps: int, rounds: int) -> list[Figure]:
    """Of a workload with colour images, as a per-image pipeline takes them."""
    plain = {f"{count} workers": usual(work, steps, count) for count in worker_counts()}
    times = in_turn({"ours": ours(work, steps), "bare": bare(work, steps), **plain}, rounds)
    images = work.batch * steps
    least = floors.step_seconds(work, images)
    compared = [
        figure(
            f"training loop over a DataLoader of single images, {workers}: {work.name}",
            over(times[workers], times["ours"]),
            floor=median(times[workers]) / least,
            target=2.0,
        )
        for workers in plain
    ]
    return [
        figure(
            f"training loop: {work.name}",
            rates(images, times["ours"]),
            unit="images/s",
            floor=images / least,
        ),
        _over_bare(work, times),
        *compared,
    ]


def _over_bare(work: Workload, times: dict[str, list[float]]) -> Figure:
    return figure(
        f"training loop over the bare step: {work.name}",
        over(times["bare"], times["ours"]),
        unit="of the bare step's images per second",
        floor=1.0,
        target=0.95,
    )


def worker_counts() -> list[int]:
    """None, and two where there are cores for them."""
    return [0, 2] if (os.cpu_count() or 1) > 1 else [0]


def recipe_of(work: Workload, epochs: int = 1) -> Training:
    """Plain SGD; colour images are cropped and mirrored."""
    colour = work.shape[0] == 3
    return Training(
        epochs=epochs,
        batch_size=work.batch,
        lr=1e-3,
        schedule="constant",
        crop_padding=per_image.PADDING if colour else 0,
        flip=colour,
    )


def ours(work: Workload, steps: int) -> Side:
    samples = work.samples(work.batch * steps)
    recipe = recipe_of(work)
    context = Context(fabric=work.fabric(), augmentation=recipe.augmentation)
    model = work.build()
    everything = torch.arange(len(samples))
    return lambda: fit(model, Stream(samples, everything), task_loss, recipe, context)


def bare(work: Workload, steps: int, *, compiled: bool = False) -> Side:
    """No images are loaded: one batch lies there as the network takes it.

    It is compiled as `fit` compiles for CUDA.
    """
    images, labels = (each.to(work.device) for each in work.tensors(work.batch))
    pixels = (images.float() / 255).contiguous(memory_format=torch.channels_last)
    model = work.build().to(work.device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True
    )
    network = torch.compile(model, mode="reduce-overhead") if compiled else model

    def run() -> None:
        for _ in range(steps):
            with work.autocast():
                loss = F.cross_entropy(network(pixels), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return run


def usual(work: Workload, steps: int, workers: int) -> Side:
    """The same network and steps as a short script has them, with the defaults of PyTorch."""
    batches = per_image.loader(*work.tensors(work.batch * steps), work.batch, workers)
    model = work.build()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4)
    return lambda: per_image.train(model, batches, optimizer, work.autocast())
