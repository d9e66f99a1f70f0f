"""The stage `prune`: a sparse original, trained again under a pruner's mask."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from expunge.bench.stages.model import load_model, save_model
from expunge.bench.stages.stage import Stage
from expunge.bench.stages.train import (
    RECORD,
    REWIND,
    STAGE_CODE,
    context_for,
    dataset_of,
    origin_of,
    surroundings,
)
from expunge.bench.workspace import Workspace
from expunge.config import to_mapping
from expunge.models.weights import read_tensors
from expunge.runs import JSON, Spec, code_version, read_object, write_json
from expunge.settings import derive_seed
from expunge.sparsity import get_pruner
from expunge.sparsity.mask import layer_report, mask_sparsity
from expunge.sparsity.pruner import PruneConfig
from expunge.training.sparsify import sparsify


def prune_stage(workspace: Workspace, model_id: str, pruner: str, config: PruneConfig) -> Stage:
    """The model `model_id`, pruned and trained again."""
    origin = origin_of(workspace, model_id)
    chosen = get_pruner(pruner)
    spec = Spec(
        kind="prune",
        settings={
            "pruner": pruner,
            "config": to_mapping(config),
            **surroundings(workspace, origin),
        },
        parents={"model": model_id},
        code=code_version(
            "expunge.training.sparsify",
            chosen.run.__module__,
            chosen.rounds.__module__,
            alone=(__name__, *STAGE_CODE),
        ),
    )
    label = f"prune {config.sparsity:.0%} by {pruner}, seed {origin.seed}"
    return Stage(spec, label, lambda folder: _make(workspace, model_id, pruner, config, folder))


def load_record(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """What was noted of a pruning in the store: seconds, measured sparsity, and each layer's."""
    return read_object(workspace.store.path(run_id) / RECORD)


def _make(
    workspace: Workspace, model_id: str, pruner: str, config: PruneConfig, folder: Path
) -> None:
    origin = origin_of(workspace, model_id)
    source = workspace.store.path(model_id)
    model, spec, mask = load_model(source)
    rewind = read_tensors(source / REWIND) if (source / REWIND).exists() else None
    seed = derive_seed(origin.seed, "prune")
    context = replace(context_for(workspace, origin, spec, seed), mask=mask)
    samples = dataset_of(workspace, model_id).train
    start = time.perf_counter()
    sparse, mask = sparsify(model, samples, get_pruner(pruner), config, context, rewind)
    seconds = time.perf_counter() - start
    save_model(folder, sparse, spec, mask)
    layers: list[JSON] = [
        {"name": layer.name, "kept": layer.kept, "total": layer.total, "sparsity": layer.sparsity}
        for layer in layer_report(mask)
    ]
    write_json(
        folder / RECORD,
        {"seconds": seconds, "sparsity_measured": mask_sparsity(mask), "layers": layers},
    )
