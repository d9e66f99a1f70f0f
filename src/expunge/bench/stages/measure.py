"""The stage `measure`: every metric of one model in one scenario."""

from pathlib import Path
from typing import Any

from expunge.bench.stages.model import WEIGHTS, load_model
from expunge.bench.stages.predict import load_predictions, predict_stage
from expunge.bench.stages.stage import Stage, ensure
from expunge.bench.stages.train import origin_of
from expunge.bench.stages.unlearn import forget_digest, split_for
from expunge.bench.workspace import Workspace
from expunge.metrics.distance import weight_distance
from expunge.metrics.summary import attack_results, confidence_histograms, evaluate
from expunge.models.weights import read_tensors
from expunge.runs import Spec, code_version, read_object, write_json
from expunge.settings import derive_seed
from expunge.sparsity.mask import sparsity_of
from expunge.sparsity.thresholds import counted_weights, sparsity_at
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
            "expunge.metrics.summary",
            "expunge.metrics.distance",
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
    forget = split.forget.numpy()
    metrics: dict[str, float | None] = dict(evaluate(after, forget, split.classes, seed))
    model, _, mask = load_model(store.path(parents["model"]))
    weights = {name: p.detach() for name, p in model.named_parameters()}
    base = read_tensors(store.path(parents["base"]) / WEIGHTS)
    metrics["drift"] = weight_distance(weights, {n: base[n] for n in weights}, mask)
    metrics["weight_distance"] = None
    if "reference" in parents:
        reference = read_tensors(store.path(parents["reference"]) / WEIGHTS)
        metrics["weight_distance"] = weight_distance(weights, {n: reference[n] for n in weights})
    counted = counted_weights(model, mask)
    write_json(
        folder / MEASURED,
        {
            "metrics": metrics,
            "sparsity_measured": sparsity_of(model, counted),
            "sparsity_at": sparsity_at(model, counted),
            "attacks": attack_results(after, forget, split.classes, seed),
            "confidence": {
                "before": confidence_histograms(before, forget),
                "after": confidence_histograms(after, forget),
            },
        },
    )
