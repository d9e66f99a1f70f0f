"""The stage `measure`: every metric of one model in one scenario."""

from pathlib import Path
from typing import Any

from expunge.bench.stages.model import WEIGHTS, load_model
from expunge.bench.stages.predict import load_predictions, predict_stage
from expunge.bench.stages.stage import Stage, ensure
from expunge.bench.stages.train import origin_of
from expunge.bench.stages.unlearn import forget_digest, split_for
from expunge.bench.workspace import Workspace
from expunge.metrics import DEFAULT_METRICS, get_metric
from expunge.metrics.evidence import Evidence, flags_of
from expunge.metrics.metric import measure
from expunge.models.weights import read_tensors
from expunge.runs import Spec, code_version, read_object, write_json
from expunge.settings import derive_seed
from expunge.sparsity.thresholds import counted_weights
from expunge.types import Split

MEASURED = "measured.json"


def measure_stage(
    workspace: Workspace, model_id: str, base_id: str, scenario: str, reference_id: str | None
) -> Stage:
    """The metrics of `model_id`, unlearned from `base_id`, in `scenario`.

    `reference_id` is the retrained model that weights are compared with. Predictions that are not
    in the store are made first.
    """
    split = split_for(workspace, base_id, scenario)
    parents = {
        "model": model_id,
        "base": base_id,
        "predictions": ensure(workspace, predict_stage(workspace, model_id)),
        "base_predictions": ensure(workspace, predict_stage(workspace, base_id)),
    }
    if reference_id is not None:
        parents["reference"] = reference_id
    spec = Spec(
        kind="measure",
        settings={"scenario": scenario, "forget": forget_digest(split)},
        parents=parents,
        code=code_version(
            "expunge.metrics",
            "expunge.sparsity.thresholds",
            alone=["expunge.bench.stages.measure"],
        ),
    )
    label = f"measure {model_id} on {scenario}"
    return Stage(spec, label, lambda folder: _make(workspace, spec, split, folder))


def load_measured(workspace: Workspace, run_id: str) -> dict[str, Any]:
    """Metrics, measured sparsity and confidence histograms of a measurement in the store."""
    return read_object(workspace.store.path(run_id) / MEASURED)


def _make(workspace: Workspace, spec: Spec, split: Split, folder: Path) -> None:
    store, parents = workspace.store, spec.parents
    seed = derive_seed(origin_of(workspace, parents["base"]).seed, "attack")
    after = load_predictions(workspace, parents["predictions"])
    before = load_predictions(workspace, parents["base_predictions"])
    model, _, mask = load_model(store.path(parents["model"]))
    weights = {
        "model": lambda: {name: p.detach() for name, p in model.named_parameters()},
        "base": lambda: read_tensors(store.path(parents["base"]) / WEIGHTS),
    }
    if "reference" in parents:
        weights["reference"] = lambda: read_tensors(store.path(parents["reference"]) / WEIGHTS)
    forget = flags_of(split.forget.numpy(), len(after["train"]))
    evidence = Evidence(
        predictions={**after, **{f"base_{name}": each for name, each in before.items()}},
        forget=forget,
        retain=~forget,
        classes=split.classes,
        seed=seed,
        weights=weights,
        mask=mask,
        counted=tuple(counted_weights(model, mask)),
        missing={} if "reference" in parents else {"reference": "there is no retrained model"},
    )
    found: dict[str, Any] = {
        name: measure(get_metric(name), evidence).value for name in DEFAULT_METRICS
    }
    sparsity = found.pop("sparsity")
    details = {name: found.pop(name) for name in ("attacks", "confidence")}
    write_json(
        folder / MEASURED,
        {
            "metrics": found,
            "sparsity_measured": sparsity["measured"],
            "sparsity_at": sparsity["at"],
            **details,
        },
    )
