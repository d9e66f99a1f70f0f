"""Repeatable batches of network inputs, in order and without augmentation."""

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
    """A function that iterates over the samples at `index` in batches of inputs and targets.

    Targets are `(B, ...)`; every pass draws the same for the task. Inputs are on the device and,
    except integers, in the dtype of `model`. The progress of each pass is reported as `label`.
    """
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    inputs = samples.inputs.to(context.device)
    # torch.split would make one empty batch from a share without samples.
    batches = list(torch.split(index.cpu(), batch_size)) if len(index) else []

    def go() -> Iterator[tuple[Batch, Tensor]]:
        seen = 0
        noise = context.generator(f"task:{label}", context.device)
        labelled = with_labels(inputs, samples.labels, batches, context.device)
        for done, (stored, labels) in enumerate(labelled, start=1):
            drawn = context.task.draw(len(labels), inputs.shape, noise)
            batch, targets = context.task.example(stored, labels, drawn)
            # Contiguous, not channels-last: per-sample products read one channel at a time.
            given = cast_inputs(batch, dtype, torch.contiguous_format)
            yield given, targets
            seen += len(targets)
            context.progress(label, done, len(batches), seen)

    return go
