"""Models that were each trained without one fold of the data, and what they say of that fold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from expunge.errors import DataError
from expunge.graph.kind import Inputs
from expunge.graph.kinds.train import Together
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.lineage import forgotten_by
from expunge.graph.model_files import load_model
from expunge.graph.outcome import check_diverged
from expunge.methods import get_method
from expunge.scenarios.by_fold import by_fold, folds_of

if TYPE_CHECKING:
    from expunge.detectors.evidence import Floats
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.types import Samples


def add_folds(
    graph: Graph, model_id: str, folds: int, together: Together | None = None
) -> dict[str, str]:
    """By role, `fold_1` and so on: the retrained model without each fold of its training samples.

    Raises:
        ConfigError: `model_id` is not a model, or there are fewer than two folds.
    """
    parents = {"data": graph.data_of(model_id)}
    last = graph.last_forgetting(model_id)
    if last is not None:
        parents["model"] = last
    config = get_method("retrain").config()
    models = {}
    for fold in range(1, folds + 1):
        scenario = by_fold(fold, folds).name
        forget = graph.add(
            "forget",
            {"scenario": scenario},
            parents,
            where={"scenario": scenario},
            label=f"choose {scenario}",
        )
        models[_role(fold)] = add_unlearn(graph, model_id, forget, "retrain", config, together)
    return models


def out_of_fold(
    samples: Samples, *, trained_on: set[str], inputs: Inputs, folds: int, runtime: Runtime
) -> Floats:
    """Float64 logits `(N, classes)` of each sample, by the model trained without its fold.

    `trained_on` are the ids of the training samples; samples of other parts fall into folds, too,
    so that they are judged by the same models.

    Raises:
        DivergedError: a model has diverged.
        DataError: a model was trained on what it is to judge.
    """
    import numpy as np
    import torch

    from expunge.data.splits import subset
    from expunge.training.predict import predict

    fold_of = torch.tensor(folds_of(samples.ids, folds))
    logits = torch.zeros(len(samples), samples.num_classes)
    for fold in range(1, folds + 1):
        folder = inputs[_role(fold)]
        check_diverged(folder)
        rows = (fold_of == fold).nonzero().flatten()
        if not len(rows):
            continue
        part = subset(samples, rows)
        _check_unseen(folder, trained_on & set(part.ids))
        model, _, _ = load_model(folder)
        label = f"predict fold {fold} of {folds}"
        logits[rows] = predict(
            model, part, runtime.evaluator, label=label, progress=runtime.progress
        )
    return logits.numpy().astype(np.float64)


def _check_unseen(folder: Path, ids: set[str]) -> None:
    seen = ids - set(forgotten_by(folder))
    if seen:
        raise DataError(f"{folder.name} was trained on {len(seen)} samples that it is to judge")


def _role(fold: int) -> str:
    return f"fold_{fold}"
