"""Compute the outputs of every sample, without augmentation."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from expunge.settings import Progress, silent
from expunge.tasks import classify
from expunge.tasks.task import Task
from expunge.training.placement import at_work
from expunge.training.reproducibility import full_float32
from expunge.training.share import own_share, sum_over_processes
from expunge.types import Samples

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def predict(
    model: nn.Module,
    samples: Samples,
    fabric: "Fabric",
    *,
    task: Task = classify.TASK,
    batch_size: int | None = None,
    label: str = "predict",
    progress: Progress = silent,
) -> Tensor:
    """The outputs that `task` records, such as logits `(N, classes)`; float32 on the CPU.

    Runs in evaluation mode and leaves the model unchanged. Under data parallelism each process
    computes its share, and all get the whole result in order. Without `batch_size`, batches have a
    size that suits the device. Progress is reported as `label`.
    """
    inputs = samples.inputs.to(fabric.device)
    own = own_share(len(samples), fabric)
    share = torch.arange(len(samples))[own]
    # On a CPU, activations of larger batches do not fit its caches: half as fast at 500.
    size = batch_size or (125 if fabric.device.type == "cpu" else 1000)
    batches = list(torch.split(share, size))
    outputs: list[Tensor] = []
    evaluating = at_work(model, fabric.device, training=False)
    with evaluating, full_float32(), torch.inference_mode(), fabric.autocast():
        for done, batch in enumerate(inputs.batches(batches), start=1):
            outputs.append(task.outputs_to_record(model(task.inputs(batch))))
            progress(label, done, len(batches), min(done * size, len(share)))
    mine = torch.cat(outputs)
    whole = mine.new_zeros((len(samples), *mine.shape[1:]))
    if fabric.global_rank < len(samples):
        whole[own] = mine
    return sum_over_processes(whole, fabric).cpu()
