"""Samples as the network takes them, in order and without augmentation, as often as wanted."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from expunge.batch import Batch
from expunge.tasks.inputs import cast_inputs
from expunge.training.batches import with_labels
from expunge.types import Context, Samples


def input_batches(
    model: nn.Module,
    samples: Samples,
    index: Tensor,
    batch_size: int,
    context: Context,
    label: str,
) -> Callable[[], Iterator[tuple[Batch, Tensor]]]:
    """A function that goes through the samples at `index`: inputs and targets `(B,)` of each batch.

    Inputs are on the device and, but for token ids, in the dtype of `model`. Every pass is told of
    as `label`.
    """
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    inputs = samples.inputs.to(context.device)
    # Of a share that has no samples, torch.split would make an empty batch.
    batches = list(torch.split(index.cpu(), batch_size)) if len(index) else []

    def go() -> Iterator[tuple[Batch, Tensor]]:
        seen = 0
        labelled = with_labels(inputs, samples.labels, batches, context.device)
        for done, (batch, targets) in enumerate(labelled, start=1):
            # Rows in the usual order: per-sample products read each image's channels one by one.
            given = cast_inputs(context.task.inputs(batch), dtype, torch.contiguous_format)
            yield given, targets
            seen += len(targets)
            context.progress(label, done, len(batches), seen)

    return go
