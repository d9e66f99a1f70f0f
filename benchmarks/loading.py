"""Images to batches: by index and augmented, and from PNG and JPEG."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks import floors, per_image
from benchmarks.timing import Figure, Side, figure, in_turn, over, rates
from benchmarks.training_loop import worker_counts
from benchmarks.workload import Workload
from expunge.data.decode import Encoded, Seen, decode_into, find_format
from expunge.runs import available_cores
from expunge.settings import Augmentation
from expunge.tasks.classify import TASK
from expunge.training.batches import augmented_shares, shuffled_batches
from expunge.types import Context

COLOUR = Workload("resnet20s", (3, 32, 32), 256)
CROP_AND_FLIP = Augmentation(crop_padding=per_image.PADDING, flip=True)
Epoch = Callable[[], Iterator[tuple[Tensor, Tensor]]]


def figures(
    rounds: int, count: int = 8192, small: int = 1000, large: int = 60, large_size: int = 224
) -> list[Figure]:
    return [
        *_loaded(COLOUR, count, rounds),
        _decoded("PNG", small, 32, rounds),
        _decoded("JPEG", small, 32, rounds),
        _decoded("JPEG", large, large_size, rounds),
    ]


def epochs(work: Workload, count: int, augmentation: Augmentation = CROP_AND_FLIP) -> Epoch:
    """Passes over the images as the training loop gets them: uint8, in random order, augmented."""
    samples = work.samples(count)
    context = Context(fabric=work.fabric(), augmentation=augmentation)
    order, draws = context.generator("order"), context.generator("augmentation:0")

    def go() -> Iterator[tuple[Tensor, Tensor]]:
        index = shuffled_batches(torch.arange(count), work.batch, order)
        return augmented_shares(samples.inputs, samples.labels, index, context, draws)

    return go


def _loaded(work: Workload, count: int, rounds: int) -> list[Figure]:
    epoch = epochs(work, count)
    images, labels = work.tensors(count)
    loaders = {
        f"{workers} workers": per_image.loader(images, labels, work.batch, workers)
        for workers in worker_counts()
    }
    sides: dict[str, Side] = {
        "selected": lambda: [len(pixels) for pixels, _ in epoch()],
        "given": lambda: [len(TASK.inputs(pixels)) for pixels, _ in epoch()],
        **{name: partial(_exhaust, loader) for name, loader in loaders.items()},
    }
    times = in_turn(sides, rounds)
    # An image is read and written once; what the network is given is written as float32.
    least = floors.memory_seconds(2 * images.nbytes)
    given = floors.memory_seconds((1 + 4) * images.nbytes)
    kind = f"{work.shape[1]}x{work.shape[2]}, crop and flip"
    return [
        figure(
            f"loading, index and augmentation: {kind}",
            rates(count, times["selected"]),
            unit="images/s",
            floor=count / least,
        ),
        *(
            figure(
                f"loading over a DataLoader of single images, {workers}: {kind}",
                over(times[workers], times["given"]),
                floor=median(times[workers]) / given,
                target=2.0,
            )
            for workers in loaders
        ),
    ]


def _exhaust(loader: DataLoader[tuple[Tensor, int]]) -> None:
    for _ in loader:
        pass


@dataclass(frozen=True)
class _Made:
    """Pictures in memory."""

    files: list[bytes]

    def __len__(self) -> int:
        return len(self.files)

    def name(self, row: int) -> str:
        return f"picture {row}"

    def chunks(self) -> Iterator[list[Encoded]]:
        yield [*self.files]


def _decoded(kind: Literal["PNG", "JPEG"], count: int, size: int, rounds: int) -> Figure:
    pictures = [encoded(kind, size, seed) for seed in range(count)]
    files = _Made(pictures)
    wanted = find_format(files, None, None)
    out = np.empty((count, wanted.channels, size, size), np.uint8)

    def alone() -> None:
        for file in pictures:
            with Image.open(io.BytesIO(file)) as image:
                image.load()

    times = in_turn(
        {"ours": lambda: decode_into(out, files, wanted, Seen()), "alone": alone}, rounds
    )
    return figure(
        f"decoding, {kind}: {size}x{size}",
        rates(count, times["ours"]),
        unit="images/s",
        # Pillow does nothing else, on every core.
        floor=available_cores() * count / median(times["alone"]),
    )


def encoded(kind: Literal["PNG", "JPEG"], size: int, seed: int) -> bytes:
    """A picture of soft shapes and some noise: it compresses about as photographs do."""
    rng = np.random.default_rng(seed)
    shapes = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    soft = np.asarray(shapes.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float64)
    pixels = (soft + rng.normal(0, 4, soft.shape)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()
