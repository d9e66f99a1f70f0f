"""The stage `unlearn`: a model from which a method has removed the forget set."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from expunge.bench.stages.model import load_model, save_model
from expunge.bench.stages.stage import Stage
from expunge.bench.stages.train import (
    RECORD,
    STAGE_CODE,
    context_for,
    dataset_of,
    origin_of,
    surroundings,
)
from expunge.bench.workspace import Workspace
from expunge.config import to_mapping
from expunge.methods import get_method
from expunge.methods.run import run_method
from expunge.runs import Spec, code_version, write_json
from expunge.scenarios import make_split, parse
from expunge.settings import derive_seed
from expunge.types import Split


def unlearn_stage(
    workspace: Workspace, model_id: str, scenario: str, method: str, config: Any
) -> Stage:
    """The model `model_id` after `method` has unlearned the forget set of `scenario`.

    Raises:
        ForgetError: the scenario does not fit the data.
    """
    origin = origin_of(workspace, model_id)
    split = split_for(workspace, model_id, scenario)
    spec = Spec(
        kind="unlearn",
        settings={
            "scenario": scenario,
            "forget": forget_digest(split),
            "method": method,
            "config": to_mapping(config),
            **surroundings(workspace, origin),
        },
        parents={"model": model_id},
        code=code_version(
            "expunge.methods.run",
            get_method(method).run.__module__,
            alone=(__name__, *STAGE_CODE),
        ),
    )
    label = f"unlearn {scenario} by {method}, {_kind(workspace, model_id)}, seed {origin.seed}"
    return Stage(
        spec, label, lambda folder: _make(workspace, model_id, split, method, config, folder)
    )


def split_for(workspace: Workspace, model_id: str, scenario: str) -> Split:
    """The training samples of a model, divided by `scenario`; the model's seed draws the random."""
    origin = origin_of(workspace, model_id)
    seed = derive_seed(origin.seed, "scenario")
    return make_split(dataset_of(workspace, model_id).train, parse(scenario, seed=seed))


def forget_digest(split: Split) -> str:
    """Hex digest of the forget set: a changed list of ids is another forget set."""
    return hashlib.blake2b(split.forget.numpy().tobytes(), digest_size=16).hexdigest()


def _kind(workspace: Workspace, model_id: str) -> str:
    spec = workspace.spec(model_id)
    if spec.kind != "prune":
        return "dense"
    settings: Mapping[str, Any] = spec.settings
    return f"{settings['config']['sparsity']:.0%} {settings['pruner']}"


def _make(
    workspace: Workspace, model_id: str, split: Split, method: str, config: Any, folder: Path
) -> None:
    origin = origin_of(workspace, model_id)
    model, spec, mask = load_model(workspace.store.path(model_id))
    seed = derive_seed(origin.seed, "unlearn")
    context = replace(context_for(workspace, origin, spec, seed), mask=mask)
    unlearned, seconds = run_method(get_method(method), model, split, config, context)
    save_model(folder, unlearned, spec, mask)
    write_json(folder / RECORD, {"seconds": seconds})
