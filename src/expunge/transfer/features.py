"""A network's features of samples: the inputs of its last layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from expunge.detectors.features import WithFeatures
from expunge.settings import Progress, silent
from expunge.tasks import classify
from expunge.training.predict import predict

if TYPE_CHECKING:
    import numpy.typing as npt
    from lightning_fabric import Fabric
    from torch import nn

    from expunge.types import Samples


def features(
    model: nn.Module,
    outputs: int,
    samples: Samples,
    fabric: Fabric,
    progress: Progress = silent,
) -> npt.NDArray[np.float64]:
    """The features of every sample, `(N, F)`, without augmentation; the model has `outputs` logits.

    Raises:
        ModelError: the last layer is not found.
    """
    (batch,) = samples.inputs.batches([torch.arange(1)])
    network = WithFeatures(model, classify.TASK.inputs(batch))
    both = predict(network, samples, fabric, label="features", progress=progress)
    return both[:, : both.shape[1] - outputs].numpy().astype(np.float64)
