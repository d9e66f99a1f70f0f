"""The stage `predict`: logits of every training and test sample, so that metrics need no model."""

from pathlib import Path

from expunge.bench.stages.model import load_model
from expunge.bench.stages.stage import Stage
from expunge.bench.stages.train import STAGE_CODE, dataset_of, origin_of, surroundings
from expunge.bench.workspace import Workspace
from expunge.metrics.summary import Predictions
from expunge.runs import Spec, code_version, read_arrays, write_arrays
from expunge.training.predict import predict

PREDICTIONS = "predictions.safetensors"


def predict_stage(workspace: Workspace, model_id: str) -> Stage:
    """The logits of `model_id` on its data."""
    origin = origin_of(workspace, model_id)
    spec = Spec(
        kind="predict",
        settings={"precision": "32-true", **surroundings(workspace, origin)},
        parents={"model": model_id},
        code=code_version("expunge.training.predict", alone=(__name__, *STAGE_CODE)),
    )
    return Stage(
        spec, f"predict with {model_id}", lambda folder: _make(workspace, model_id, folder)
    )


def load_predictions(workspace: Workspace, run_id: str) -> Predictions:
    """The predictions in the store."""
    return Predictions(**read_arrays(workspace.store.path(run_id) / PREDICTIONS))


def _make(workspace: Workspace, model_id: str, folder: Path) -> None:
    dataset = dataset_of(workspace, model_id)
    model, _, _ = load_model(workspace.store.path(model_id))
    arrays = {}
    for name, samples in (("train", dataset.train), ("test", dataset.test)):
        logits = predict(
            model,
            samples,
            workspace.evaluator,
            label=f"predict {name}",
            progress=workspace.progress,
        )
        arrays[f"{name}_logits"] = logits.numpy()
        arrays[f"{name}_labels"] = samples.labels.numpy()
    write_arrays(folder / PREDICTIONS, arrays)
