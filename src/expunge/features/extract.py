"""The features and outputs of many samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from expunge.features.network import WithFeatures
from expunge.settings import Progress, silent
from expunge.tasks import classify
from expunge.tasks.task import Task
from expunge.training.predict import predict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from lightning_fabric import Fabric
    from torch import nn

    from expunge.types import Samples


def features_and_logits(
    model: nn.Module,
    samples: Samples,
    fabric: Fabric,
    *,
    task: Task = classify.TASK,
    label: str = "features",
    progress: Progress = silent,
) -> tuple[Tensor, Tensor]:
    """The features `(N, F)` and logits `(N, classes)` of every sample, float32 on the CPU.

    Runs in evaluation mode, without augmentation, and leaves the model unchanged.

    Raises:
        ModelError: the last layer is not found.
    """
    (batch,) = samples.inputs.batches([torch.arange(1)])
    network = WithFeatures(model, task.inputs(batch))
    both = predict(network, samples, fabric, task=task, label=label, progress=progress)
    size = both.shape[1] - network.classes
    return both[:, :size], both[:, size:]


def features_of(
    model: nn.Module, samples: Samples, fabric: Fabric, progress: Progress = silent
) -> npt.NDArray[np.float64]:
    """The features alone, float64 `(N, F)`.

    Raises:
        ModelError: the last layer is not found.
    """
    features, _ = features_and_logits(model, samples, fabric, progress=progress)
    found: npt.NDArray[np.float64] = features.double().numpy()
    return found
