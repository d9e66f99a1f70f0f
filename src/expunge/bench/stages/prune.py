"""The stage `prune`: a sparse original, trained again under a pruner's mask."""

import time
from pathlib import Path

from expunge.bench.config import to_mapping
from expunge.bench.stages.model import load_model, save_model
from expunge.bench.stages.stage import Stage
from expunge.bench.stages.train import RECORD, REWIND, context_for, origin_of
from expunge.bench.workspace import Workspace
from expunge.models import read_tensors
from expunge.runs import Spec, code_version, write_json
from expunge.sparsity import PruneConfig, get_pruner
from expunge.sparsity.mask import mask_sparsity
from expunge.training.sparsify import sparsify
from expunge.types import derive_seed


def prune_stage(workspace: Workspace, model_id: str, pruner: str, config: PruneConfig) -> Stage:
    """The model `model_id`, pruned and trained again."""
    origin = origin_of(workspace, model_id)
    spec = Spec(
        kind="prune",
        settings={"pruner": pruner, "config": to_mapping(config), "device": workspace.device},
        parents={"model": model_id},
        code=code_version("expunge.training.sparsify", get_pruner(pruner).run.__module__),
    )
    label = f"prune {config.sparsity:.0%} by {pruner}, seed {origin.seed}"
    return Stage(spec, label, lambda folder: _make(workspace, model_id, pruner, config, folder))


def _make(
    workspace: Workspace, model_id: str, pruner: str, config: PruneConfig, folder: Path
) -> None:
    origin = origin_of(workspace, model_id)
    source = workspace.store.path(model_id)
    model, spec, _ = load_model(source)
    rewind = read_tensors(source / REWIND) if (source / REWIND).exists() else None
    context = context_for(workspace, origin, spec, derive_seed(origin.seed, "prune"))
    samples = workspace.data(origin.data).train
    start = time.perf_counter()
    sparse, mask = sparsify(model, samples, get_pruner(pruner), config, context, rewind)
    seconds = time.perf_counter() - start
    save_model(folder, sparse, spec, mask)
    write_json(folder / RECORD, {"seconds": seconds, "sparsity_measured": mask_sparsity(mask)})
