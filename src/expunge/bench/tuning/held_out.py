"""The stage `held_out`: logits of the validation samples, so that choosing needs no test data."""

from pathlib import Path

from expunge.bench.stages import Stage, load_model, origin_of
from expunge.bench.stages.train import STAGE_CODE, dataset_of, surroundings
from expunge.bench.workspace import Workspace
from expunge.errors import ConfigError
from expunge.metrics.arrays import LabelArray, LogitArray
from expunge.runs import Spec, code_version, read_arrays, write_arrays
from expunge.training.predict import predict
from expunge.types import Samples

HELD_OUT = "held_out.safetensors"


def validation_samples(workspace: Workspace, model_id: str) -> Samples:
    """What a model was not trained on and is not judged on.

    Raises:
        ConfigError: its data has no such part.
    """
    samples = dataset_of(workspace, model_id).validation
    if samples is None:
        raise ConfigError(
            f"choosing without an oracle needs validation data, and {model_id} has none: train it "
            "with --validation-fraction 0.1 (validation_fraction in a recipe's [data])"
        )
    return samples


def held_out_stage(workspace: Workspace, model_id: str) -> Stage:
    """The logits of `model_id` on the validation samples of its data.

    Raises:
        ConfigError: its data has no validation part.
    """
    samples = validation_samples(workspace, model_id)
    spec = Spec(
        kind="held_out",
        settings={
            "precision": "32-true",
            **surroundings(workspace, origin_of(workspace, model_id)),
        },
        parents={"model": model_id},
        code=code_version("expunge.training.predict", alone=(__name__, *STAGE_CODE)),
    )
    label = f"predict validation with {model_id}"
    return Stage(spec, label, lambda folder: _make(workspace, model_id, samples, folder))


def load_held_out(workspace: Workspace, run_id: str) -> tuple[LogitArray, LabelArray]:
    """Logits `(M, classes)` and labels `(M,)` of the validation samples, from the store."""
    arrays = read_arrays(workspace.store.path(run_id) / HELD_OUT)
    return arrays["logits"], arrays["labels"]


def _make(workspace: Workspace, model_id: str, samples: Samples, folder: Path) -> None:
    model, _, _ = load_model(workspace.store.path(model_id))
    logits = predict(
        model,
        samples,
        workspace.evaluator,
        label="predict validation",
        progress=workspace.progress,
    )
    arrays = {"logits": logits.numpy(), "labels": samples.labels.numpy()}
    write_arrays(folder / HELD_OUT, arrays)
