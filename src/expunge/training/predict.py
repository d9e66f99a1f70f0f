"""Logits of every sample, without augmentation."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from expunge.settings import Progress, silent
from expunge.training.layout import place_back, place_for_work
from expunge.training.modes import mode
from expunge.training.precision import full_float32
from expunge.training.share import own_share, sum_over_processes
from expunge.training.task import as_input
from expunge.types import Samples

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def predict(
    model: nn.Module,
    samples: Samples,
    fabric: "Fabric",
    *,
    batch_size: int | None = None,
    task: str = "predict",
    progress: Progress = silent,
) -> Tensor:
    """Logits `(N, classes)`, float32 on the CPU, in evaluation mode; the model is as before after.

    Under data parallelism every process computes its share and all get the whole, in order.
    Batches are of `batch_size`, or of the size that suits the device.
    """
    home = next(model.parameters()).device
    inputs = samples.inputs.to(fabric.device)
    own = own_share(len(samples), fabric)
    share = torch.arange(len(samples))[own]
    # On a CPU the activations of larger batches leave its caches: half as fast at 500.
    size = batch_size or (125 if fabric.device.type == "cpu" else 1000)
    batches = list(torch.split(share, size))
    logits: list[Tensor] = []
    place_for_work(model, fabric.device)
    evaluating = mode(model, training=False)
    with evaluating, full_float32(), torch.inference_mode(), fabric.autocast():
        for done, batch in enumerate(inputs.batches(batches), start=1):
            logits.append(model(as_input(batch)).float())
            progress(task, done, len(batches), min(done * size, len(share)))
    place_back(model, home)
    mine = torch.cat(logits)
    whole = mine.new_zeros((len(samples), mine.shape[1]))
    if fabric.global_rank < len(samples):
        whole[own] = mine
    return sum_over_processes(whole, fabric).cpu()
