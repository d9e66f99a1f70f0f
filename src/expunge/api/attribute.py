"""Tell which training samples a model's predictions rest on."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from expunge.api.given import fabric_on, samples_in
from expunge.api.results import Attribution, Sparse
from expunge.api.work import as_found
from expunge.attribution import check_installed, get_attributor
from expunge.config import from_mapping
from expunge.data.splits import subset
from expunge.graph.runtime import FLOAT32
from expunge.models.check import check_outputs
from expunge.settings import Progress, silent
from expunge.types import Context, Split


def attribute(
    model: nn.Module | Sparse,
    train: Any,
    targets: Any,
    *,
    method: str = "unlearning",
    config: Any = None,
    dense: bool = False,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> Attribution:
    """How much each training sample helps or harms the predictions for `targets`.

    `train` is what the model was trained on: anything that `split` takes as `train`, or a `Split`,
    whose retained samples are taken. `targets` is anything that `split` takes as `train`; of a
    `Dataset`, the test samples are taken. `method` is an attributor: `unlearning`,
    `gradient_similarity` or `ekfac`; `config` its settings, as its dataclass or as a mapping.

    Raises:
        ConfigError: an unknown attributor or setting, or its package is not installed.
        DataError: the data cannot be read.
        ModelError: the model does not fit the data, or mixes the samples of a batch.
    """
    attributor = get_attributor(method)
    if config is None or isinstance(config, Mapping):
        config = from_mapping(attributor.config, config or {}, f"attributor {method}")
    check_installed(attributor)
    if isinstance(train, Split):
        samples = subset(train.train, train.retain)
    else:
        samples = samples_in(train, "train")
    wanted = samples_in(targets, "test", class_names=samples.class_names)
    found, mask, notes = as_found(model, dense)
    inputs = samples.inputs
    check_outputs(found, inputs.shape, samples.num_classes, inputs.kind)
    fabric = fabric_on(device, FLOAT32)
    context = Context(fabric=fabric, seed=seed, mask=mask, progress=progress)
    attributed = attributor.run(found, samples, wanted, config, context)
    return Attribution(
        scores=attributed.scores.to(torch.float64).numpy(),
        train_ids=samples.ids,
        target_ids=wanted.ids,
        method=method,
        config=config,
        notes=(*notes, *attributed.notes),
    )
