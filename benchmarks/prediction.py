"""Prediction against the forward pass of training."""

from dataclasses import replace
from statistics import median

import torch
from torch.nn import functional as F

from benchmarks import floors
from benchmarks.timing import Figure, figure, in_turn, over, rates
from benchmarks.workload import Workload, native_precisions
from expunge.training.predict import predict

RESNET20S = Workload("resnet20s", (3, 32, 32), 250)


def figures(rounds: int, work: Workload = RESNET20S, batches: int = 8) -> list[Figure]:
    return [
        item
        for precision in native_precisions()
        for item in predicted(replace(work, precision=precision), batches, rounds)
    ]


def predicted(work: Workload, batches: int, rounds: int) -> list[Figure]:
    count = work.batch * batches
    # Both sides find the images and the network on the device.
    drawn = work.samples(count)
    samples = replace(drawn, inputs=drawn.inputs.to(torch.device(work.device)))
    fabric = work.fabric()
    model = work.build().to(work.device)
    trained = work.build().to(work.device, memory_format=torch.channels_last).train()
    images, labels = (each.to(work.device) for each in work.tensors(work.batch))
    pixels = (images.float() / 255).contiguous(memory_format=torch.channels_last)

    def forward() -> None:
        for _ in range(batches):
            with work.autocast():
                F.cross_entropy(trained(pixels), labels)

    times = in_turn({"ours": lambda: predict(model, samples, fabric), "forward": forward}, rounds)
    least = floors.forward_seconds(work, count)
    return [
        figure(
            f"prediction: {work.name}",
            rates(count, times["ours"]),
            unit="images/s",
            floor=count / least,
        ),
        figure(
            f"prediction over training's forward pass: {work.name}",
            over(times["forward"], times["ours"]),
            unit="of its images per second",
            floor=median(times["forward"]) / least,
            target=0.9,
        ),
    ]
