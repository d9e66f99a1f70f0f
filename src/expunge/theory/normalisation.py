"""Batch normalisation held still, so that the loss of a sample does not depend on its batch.

The theorem takes the training loss as a sum of losses of single samples. Batch normalisation in
train mode breaks that: what is left out of a batch changes the loss of the others in it. Here its
statistics are constants of the network, taken once at the initialisation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from expunge.tasks import classify
from expunge.tasks.task import Task
from expunge.training.placement import mode
from expunge.types import Samples


class FixedNormalisation(nn.Module):
    """A batch normalisation that uses its running statistics in train mode too.

    Parameters and buffers have the names of the layer that it stands for.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, layer: _BatchNorm) -> None:
        super().__init__()
        self.eps = layer.eps
        self.weight = layer.weight
        self.bias = layer.bias
        for name, value in layer.named_buffers():
            self.register_buffer(name, value.clone())

    def forward(self, x: Tensor) -> Tensor:
        """`x` `(B, C, ...)`, normalised by channel and scaled."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )


def fix_normalisation(model: nn.Module) -> None:
    """Put a `FixedNormalisation` in the place of every batch normalisation, in place.

    Layers that keep no statistics stay as they are. `model` must not be one such layer itself.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _BatchNorm) and child.running_mean is not None:
                setattr(parent, name, FixedNormalisation(child))


@torch.no_grad()
def set_statistics(
    model: nn.Module,
    samples: Samples,
    device: torch.device,
    *,
    task: Task = classify.TASK,
    batch_size: int = 500,
) -> None:
    """Set the running statistics of every batch normalisation to those over all of `samples`.

    They are the mean over batches in the order of the samples; labels are not looked at and nothing
    is random. The model is moved to `device`; modes are as before.
    """
    model.to(device)
    layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    batches = torch.split(torch.arange(len(samples)), batch_size)
    with mode(model, training=False):
        for layer in layers:
            layer.train()
            layer.reset_running_stats()
            layer.momentum = None  # the mean of all batches
        for stored in samples.inputs.to(device).batches(batches):
            model(task.inputs(stored))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
