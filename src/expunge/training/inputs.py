"""Samples as the network takes them, in order and without augmentation, as often as wanted."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from expunge.training.batches import with_labels
from expunge.training.task import as_input
from expunge.types import Context, Samples


def input_batches(
    model: nn.Module,
    samples: Samples,
    index: Tensor,
    batch_size: int,
    context: Context,
    task: str,
) -> Callable[[], Iterator[tuple[Tensor, Tensor]]]:
    """A function that goes through the samples at `index`: images and labels `(B,)` of each batch.

    Images are on the device and in the dtype of `model`. Every pass is told of as `task`.
    """
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    images = samples.inputs.to(context.device)
    # Of a share that has no samples, torch.split would make an empty batch.
    batches = list(torch.split(index.cpu(), batch_size)) if len(index) else []

    def go() -> Iterator[tuple[Tensor, Tensor]]:
        seen = 0
        labelled = with_labels(images, samples.labels, batches, context.device)
        for done, (pixels, labels) in enumerate(labelled, start=1):
            # Rows in the usual order: per-sample products read each image's channels one by one.
            given = as_input(pixels).to(dtype, memory_format=torch.contiguous_format)
            yield given, labels
            seen += len(labels)
            context.progress(task, done, len(batches), seen)

    return go
