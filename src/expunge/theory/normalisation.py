"""Fixed batch normalisation, so that the loss of a sample does not depend on its batch.

The theorem assumes that the training loss is a sum of per-sample losses. Batch normalisation in
training mode breaks this: leaving out a sample changes the loss of the others in its batch. Here
its statistics are constants of the network, computed once at initialisation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from expunge.modes import mode
from expunge.tasks import classify
from expunge.tasks.task import Task
from expunge.types import Samples


class FixedNormalisation(nn.Module):
    """Batch normalisation that uses its running statistics in training mode too.

    Parameters and buffers have the same names as in the layer that it replaces.
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
    """Replace every batch normalisation by a `FixedNormalisation`, in place.

    Layers without running statistics are kept. `model` itself must not be a batch normalisation.
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
    """Set the running statistics of every batch normalisation to those of all `samples`.

    They are means over batches in the order of the samples; labels are not used and nothing is
    random. The model is moved to `device`; modes are restored.
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
