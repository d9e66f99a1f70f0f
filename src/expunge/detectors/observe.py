"""Gather what a detector needs of a network and its samples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from expunge.detectors.evidence import Floats, Inputs, Integers, SampleEvidence
from expunge.errors import DataError
from expunge.features.extract import features_and_logits
from expunge.settings import Progress, silent
from expunge.tasks import classify
from expunge.tasks.task import Task
from expunge.training.placement import at_work
from expunge.training.predict import predict
from expunge.training.reproducibility import full_float32

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from expunge.types import Samples

_BATCH = 1000


def observe(
    model: nn.Module,
    samples: Samples,
    clean: Samples,
    trusted: int,
    needs: Collection[str],
    fabric: Fabric,
    *,
    out_of_fold: Floats | None = None,
    task: Task = classify.TASK,
    progress: Progress = silent,
) -> SampleEvidence:
    """The evidence of `samples`, then of `clean`, of which the first `trusted` rows are trusted.

    `out_of_fold` are logits of all these rows, `(N, classes)`, if a detector needs them.

    Raises:
        ModelError: features are needed, and the last layer is not found.
        DataError: a network is needed on inputs that are no arrays.
    """
    parts = (samples, clean)
    features: Floats | None = None
    logits: Floats | None = None
    if "features" in needs:
        found = [
            features_and_logits(model, part, fabric, task=task, label="observe", progress=progress)
            for part in parts
        ]
        features, logits = (_joined(each) for each in zip(*found, strict=True))
    elif "logits" in needs:
        logits = _outputs(model, parts, fabric, task, progress)
    return SampleEvidence(
        labels=torch.cat([part.labels for part in parts]).numpy(),
        num_classes=samples.num_classes,
        features=features,
        logits=logits,
        out_of_fold=out_of_fold,
        trusted=len(samples) + np.arange(trusted),
        inputs=_reader(parts, task) if "model" in needs else None,
        predict=_predictor(model, fabric, task) if "model" in needs else None,
    )


def _outputs(
    model: nn.Module,
    parts: tuple[Samples, ...],
    fabric: Fabric,
    task: Task,
    progress: Progress,
) -> Floats:
    found = [
        predict(model, part, fabric, task=task, label="observe", progress=progress)
        for part in parts
    ]
    return _joined(found)


def _joined(parts: Iterable[Tensor]) -> Floats:
    return torch.cat(list(parts)).numpy().astype(np.float64)


def _reader(parts: tuple[Samples, ...], task: Task) -> Callable[[Integers], Inputs]:
    """The inputs at rows of the parts, one after the other."""
    first = len(parts[0])

    def inputs(rows: Integers) -> Inputs:
        index = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        found: Inputs | None = None
        for part, chosen, start in (
            (parts[0], index < first, 0),
            (parts[1], index >= first, first),
        ):
            if not chosen.any():
                continue
            (batch,) = part.inputs.batches([index[chosen] - start])
            given: Any = task.inputs(batch)
            if not isinstance(given, Tensor) or not given.is_floating_point():
                raise DataError(
                    "a detector that runs the network needs images or vectors, got "
                    f"{part.inputs.kind}"
                )
            array = given.float().cpu().numpy()
            if found is None:
                found = np.empty((len(index), *array.shape[1:]), dtype=np.float32)
            found[chosen.numpy()] = array
        if found is None:
            raise DataError("expected rows of samples, got none")
        return found

    return inputs


def _predictor(model: nn.Module, fabric: Fabric, task: Task) -> Callable[[Inputs], Floats]:
    """The network's logits for inputs as it takes them."""

    def logits(inputs: Inputs) -> Floats:
        evaluating = at_work(model, fabric.device, training=False)
        with evaluating, full_float32(), torch.inference_mode(), fabric.autocast():
            found = [
                task.outputs_to_record(model(task.inputs(part.to(fabric.device)))).cpu()
                for part in torch.split(torch.from_numpy(inputs), _BATCH)
            ]
        return torch.cat(found).numpy().astype(np.float64)

    return logits
