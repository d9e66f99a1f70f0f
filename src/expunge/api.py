"""The Python API: split, prune, unlearn and evaluate, with any model and any data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from expunge.data.arrays import as_samples
from expunge.data.sources import load as load_dataset
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError
from expunge.graph.runtime import device_kind
from expunge.methods import get_method
from expunge.methods.run import run_method
from expunge.metrics import get_metric
from expunge.metrics.distance import weight_distance
from expunge.metrics.draws import Draws
from expunge.metrics.evidence import Evidence, Predictions, flags_of
from expunge.metrics.gap import gap
from expunge.metrics.metric import measure
from expunge.models.check import check_outputs
from expunge.scenarios import Scenario, make_split
from expunge.settings import Augmentation, Progress, Training, derive_seed, silent
from expunge.sparsity import get_pruner
from expunge.statistics.intervals import Interval, wilson
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.sparsify import sparsify
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context, Dataset, Mask, Samples, Split

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_MEASURED = ("ua", "ra", "ta", "ta_forgotten", "mia_efficacy", "mia_privacy")


@dataclass(frozen=True)
class Sparse:
    """A pruned model and its mask."""

    model: nn.Module
    mask: Mask


@dataclass(frozen=True)
class Unlearned:
    """The result of unlearning."""

    model: nn.Module
    mask: Mask | None
    method: str
    config: Any
    seconds: float
    """Run-time efficiency (RTE): the run time of the method."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics in percent, and their absolute differences from a retrained model, if given."""

    metrics: dict[str, float | None]
    gap: dict[str, float] | None
    gap_reason: str | None = None
    draws: dict[str, Draws] = field(default_factory=dict)
    """By metric that is a mean over draws of the attacker's sample: the draws."""
    intervals: dict[str, Interval] = field(default_factory=dict)
    """Wilson's 95 % intervals of accuracies on test samples, `ta` and `ta_forgotten`."""

    def __str__(self) -> str:
        """A small table: metric, value, gap, and the spread of draws."""
        names = {
            "ua": "unlearning accuracy UA",
            "ra": "remaining accuracy RA",
            "ta": "testing accuracy TA",
            "ta_forgotten": "TA on forgotten classes",
            "mia_efficacy": "MIA-efficacy",
            "mia_privacy": "MIA-privacy",
        }
        lines = []
        for key, name in names.items():
            value = self.metrics.get(key)
            if value is not None:
                difference = "" if self.gap is None or key not in self.gap else self.gap[key]
                shown = f"  (gap {difference:.2f})" if difference != "" else ""
                spread = _spread(self.draws.get(key)) + _bounds(self.intervals.get(key))
                lines.append(f"{name:<26}{value:7.2f} %{shown}{spread}")
        lines.append(
            f"{'mean gap to Retrain':<26}{self.gap['avg']:7.2f}"
            if self.gap is not None
            else f"no gap: {self.gap_reason}"
        )
        return "\n".join(lines)


def load(source: str, **settings: Any) -> Dataset:
    """The dataset `source`: `digits`, a hub id, a folder, an `.npz` file or `module:callable`.

    `settings` are the fields of `DataSpec`.

    Raises:
        DataError: it cannot be read.
    """
    if not isinstance(source, str):
        raise DataError(
            f"load takes the name of a dataset, got {type(source).__name__}: pass arrays, tensors "
            "and datasets directly to expunge.split"
        )
    return load_dataset(DataSpec(source=source, **settings))


def load_model(folder: str | Path) -> nn.Module:
    """The model in a folder written by `expunge`.

    Raises:
        CheckpointError: the folder does not hold a complete model.
    """
    from expunge.graph.model_files import load_plain_model

    return load_plain_model(Path(folder))[0]


def split(train: Any, *, forget: Scenario) -> Split:
    """The training data, split into what to forget and what to retain.

    `train` is a pair of arrays or tensors, a PyTorch or Hugging Face dataset, or `Samples`.

    Raises:
        DataError: the data cannot be read.
        ForgetError: the scenario does not match the data.
    """
    return make_split(as_samples(train), forget)


def train(
    model: nn.Module, data: Any, training: Training, *, seed: int = 0, device: str = "auto"
) -> nn.Module:
    """Train `model` in place on `data` with the settings `training`, and return it.

    Raises:
        DivergedError: the loss is no longer finite.
    """
    samples = as_samples(data)
    context = _context(model, seed, device, training=training)
    fit(model, Stream(samples, torch.arange(len(samples))), task_loss, training, context)
    return model


def prune(
    model: nn.Module | Sparse,
    split: Split,
    *,
    method: str = "omp",
    sparsity: float | None = None,
    config: Any = None,
    training: Training | None = None,
    rebuild: Callable[[int], nn.Module] | None = None,
    rewind: Mapping[str, Tensor] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32-true",
    progress: Progress = silent,
) -> Sparse:
    """A sparse network, pruned by `method` and trained with `training` on all training samples.

    `config` is the pruner's settings (default: the paper's), as its dataclass or as a mapping;
    `sparsity` overrides the sparsity in it. `rewind` is the state dict of an early epoch of the
    original training, from which training starts again; without it, training starts from the pruned
    weights. Pruners of new networks need `rebuild` instead, a function from a seed to a network.

    Raises:
        ConfigError: an unknown pruner or setting, no training settings, or a missing or unused
            `rewind`.
        MaskError: a whole layer would be pruned, or `model` is already sparser.
        ModelError: the model does not fit the data, or `rebuild` is missing.
    """
    from expunge.config import from_mapping, to_mapping

    pruner = get_pruner(method)
    config = {} if config is None else config
    settings = dict(config) if isinstance(config, Mapping) else to_mapping(config)
    if pruner.when == "trained":
        settings.setdefault("rewind", rewind is not None)
    elif rewind is not None:
        raise ConfigError(f"{method} prunes a new network and does not rewind: leave out rewind")
    if sparsity is not None:
        settings["sparsity"] = sparsity
    config = from_mapping(pruner.config, settings, f"pruner {method}")
    mask, model = (model.mask, model.model) if isinstance(model, Sparse) else (None, model)
    _check_fit(model, split)
    context = _context(
        model, seed, device, training=training, precision=precision, progress=progress
    )
    context = replace(context, mask=mask, rebuild=rebuild)
    return Sparse(*sparsify(model, split.train, pruner, config, context, rewind))


def unlearn(
    model: nn.Module | Sparse,
    split: Split,
    *,
    method: str = "ft",
    config: Any = None,
    training: Training | None = None,
    rebuild: Callable[[int], nn.Module] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32-true",
    progress: Progress = silent,
) -> Unlearned:
    """A copy of `model` from which `method` has removed the forget set of `split`.

    `config` is the method's settings (default: the paper's), as its dataclass or as a mapping.
    Retrain needs `training` and `rebuild`, a function from a seed to a fresh network.

    Raises:
        ConfigError: an unknown method or setting, or the method needs something that is missing.
        DivergedError: a loss or a weight is no longer finite.
        ModelError: the model does not fit the data.
    """
    from expunge.config import from_mapping

    chosen = get_method(method)
    if config is None or isinstance(config, Mapping):
        config = from_mapping(chosen.config, config or {}, f"method {method}")
    mask: Mask | None = None
    if isinstance(model, Sparse):
        mask, model = model.mask, model.model
    _check_fit(model, split)
    context = _context(
        model, seed, device, training=training, precision=precision, progress=progress
    )
    context = replace(context, mask=mask, rebuild=rebuild)
    unlearned, seconds = run_method(chosen, model, split, config, context)
    return Unlearned(unlearned, mask, method, config, seconds)


def evaluate(
    model: nn.Module,
    split: Split,
    test: Any,
    *,
    reference: nn.Module | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Evaluation:
    """The metrics of `model` on `split` and `test`, and their gaps from the retrained `reference`.

    Raises:
        DataError: the test data cannot be read.
        ModelError: the model does not fit the data.
    """
    # Use the training data's class names: a class missing from the test data shifts no others.
    samples = as_samples(test, name="test", class_names=split.train.class_names)
    metrics, draws = _metrics(model, split, samples, seed, device)
    intervals = _intervals(metrics, split, samples)
    if reference is None:
        reason = "no retrained model was given as reference"
        return Evaluation(metrics, None, reason, draws, intervals)
    weights, others = dict(model.named_parameters()), dict(reference.named_parameters())
    if {n: p.shape for n, p in weights.items()} == {n: p.shape for n, p in others.items()}:
        metrics["weight_distance"] = weight_distance(
            {n: p.detach() for n, p in weights.items()}, {n: p.detach() for n, p in others.items()}
        )
    others_metrics, _ = _metrics(reference, split, samples, seed, device)
    return Evaluation(metrics, gap(metrics, others_metrics), None, draws, intervals)


def _intervals(
    metrics: Mapping[str, float | None], split: Split, test: Samples
) -> dict[str, Interval]:
    """Wilson's intervals of accuracies, from their values and the numbers of test samples."""
    gone = sum(int((test.labels == label).sum()) for label in split.classes)
    counts = {"ta": len(test) - gone, "ta_forgotten": gone}
    values = {name: metrics.get(name) for name in counts}
    return {
        name: wilson(round(value * counts[name] / 100), counts[name])
        for name, value in values.items()
        if value is not None
    }


def _bounds(interval: Interval | None) -> str:
    """The bounds of an interval."""
    return "" if interval is None else f"  (95 %: {interval.low:.2f} to {interval.high:.2f})"


def _spread(draws: Draws | None) -> str:
    """The standard error and the median of draws."""
    if draws is None:
        return ""
    text = f"  ±{draws.standard_error:.2f}, median {draws.percentile(50):.2f} of {draws.n} draws"
    return text if draws.agree else f"{text}, which disagree"


def _metrics(
    model: nn.Module, split: Split, test: Any, seed: int, device: str
) -> tuple[dict[str, float | None], dict[str, Draws]]:
    _check_fit(model, split)
    fabric = _fabric(device, "32-true")
    forget = flags_of(split.forget.numpy(), len(split.train))
    evidence = Evidence(
        predictions={
            name: Predictions(predict(model, each, fabric).numpy(), each.labels.numpy())
            for name, each in (("train", split.train), ("test", test))
        },
        forget=forget,
        retain=~forget,
        classes=split.classes,
        ids=split.train.ids,
        seed=derive_seed(seed, "attack"),
    )
    found = {name: measure(get_metric(name), evidence) for name in _MEASURED}
    values = {name: each.value for name, each in found.items()}
    return (
        {name: value for name, value in values.items() if not isinstance(value, dict | list)},
        {name: each.draws for name, each in found.items() if each.draws is not None},
    )


def _check_fit(model: nn.Module, split: Split) -> None:
    inputs = split.train.inputs
    check_outputs(model, inputs.shape, split.train.num_classes, inputs.kind)


def _fabric(device: str, precision: str) -> "Fabric":
    from lightning_fabric import Fabric

    return Fabric(accelerator=device_kind(device), devices=1, precision=precision)  # type: ignore[arg-type]


def _context(
    model: nn.Module,
    seed: int,
    device: str,
    *,
    training: Training | None = None,
    precision: str = "32-true",
    progress: Progress = silent,
) -> Context:
    augmentation = Augmentation() if training is None else training.augmentation
    return Context(
        fabric=_fabric(device, precision),
        seed=seed,
        training=training,
        progress=progress,
        augmentation=augmentation,
    )
