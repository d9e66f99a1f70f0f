"""The Python API: split, prune, unlearn and evaluate, with any model and any data."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from expunge.data.arrays import as_samples
from expunge.data.sources import load as load_dataset
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError, some
from expunge.graph.runtime import FLOAT32, device_kind, precision_on
from expunge.methods import get_method
from expunge.methods.outcome import look_at
from expunge.methods.run import run_method
from expunge.metrics import COMPARED, get_metric
from expunge.metrics.distance import weight_distance
from expunge.metrics.draws import Draws
from expunge.metrics.evidence import Evidence, Predictions, flags_of
from expunge.metrics.gap import gap
from expunge.metrics.metric import Measured, measure
from expunge.models.check import check_model, check_outputs, check_weights
from expunge.scenarios import Scenario, by_indices, make_split, parse
from expunge.scenarios.by_ids import as_id
from expunge.settings import (
    PRECISIONS,
    Augmentation,
    Progress,
    Training,
    check_choice,
    derive_seed,
    silent,
)
from expunge.sparsity import get_pruner
from expunge.sparsity.found import from_elsewhere, without_hooks
from expunge.sparsity.mask import mask_sparsity
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
    notes: tuple[str, ...] = ()
    """What there is to know about the model, one line each."""


@dataclass(frozen=True)
class Unlearned:
    """The result of unlearning."""

    model: nn.Module
    mask: Mask | None
    method: str
    config: Any
    seconds: float
    """Run-time efficiency (RTE): the run time of the method."""
    forgotten_ids: tuple[str, ...] = ()
    """The ids of the samples that it has forgotten."""
    notes: tuple[str, ...] = ()
    """What there is to know about the result, one line each."""


@dataclass(frozen=True)
class Evaluation:
    """Metrics in percent, and their absolute differences from a retrained model, if given."""

    metrics: dict[str, float | None]
    gap: dict[str, float] | None
    gap_reason: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    """By metric without a value: why it has none."""
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
        lines += [
            f"no {names.get(key, key)}: {reason}"
            for key, reason in self.reasons.items()
            # In most scenarios there are no forgotten classes to measure on.
            if key != "ta_forgotten"
        ]
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


def split(
    train: Any, *, forget: Scenario | str | Iterable[Any], ids: Iterable[Any] | None = None
) -> Split:
    """The training data, split into what to forget and what to retain.

    `train` is a pair of arrays or tensors, a PyTorch or Hugging Face dataset, `Samples`, or a
    `Dataset`, of which the training samples are taken. `forget` is a scenario or its text form,
    such as `class:3`; or indices of samples, as a list, range, int array or tensor; or a mask of
    one bool per sample. `ids` names the samples for `by_ids`, one text or whole number each.

    Raises:
        DataError: the data cannot be read, or the ids do not fit it.
        ForgetError: the scenario or the indices do not match the data.
    """
    samples = _samples(train, "train", ids=ids)
    if isinstance(forget, str):
        return make_split(samples, parse(forget))
    return make_split(samples, forget if isinstance(forget, Scenario) else by_indices(forget))


def train(
    model: nn.Module, data: Any, training: Training, *, seed: int = 0, device: str = "auto"
) -> nn.Module:
    """Train `model` in place on `data` with the settings `training`, and return it.

    `data` is what `split` takes as `train`.

    Raises:
        DivergedError: the loss is no longer finite.
        ModelError: the model does not fit the data, or cannot be trained.
    """
    samples = _samples(data, "train")
    check_model(model, samples.inputs.shape, samples.num_classes, samples.inputs.kind)
    context = _context(seed, device, training=training)
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
    dense: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32-true",
    progress: Progress = silent,
) -> Sparse:
    """A sparse network, pruned by `method` and trained with `training` on all training samples.

    `config` is the pruner's settings (default: the paper's), as its dataclass or as a mapping;
    `sparsity` overrides the sparsity in it. `rewind` is the state dict of an early epoch of the
    original training, from which training starts again; without it, training starts from the pruned
    weights. Pruners of new networks need `rebuild` instead, a function from a seed to a network. A
    model whose weights hold many exact zeros is sparse and is pruned further, unless it is `dense`.

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
    model, mask, notes = _as_found(model, dense)
    notes += _check_fit(model, split)
    context = _context(seed, device, training=training, precision=precision, progress=progress)
    context = replace(context, mask=mask, rebuild=rebuild)
    return Sparse(*sparsify(model, split.train, pruner, config, context, rewind), notes)


def unlearn(
    model: nn.Module | Sparse,
    split: Split,
    *,
    method: str = "ft",
    config: Any = None,
    training: Training | None = None,
    rebuild: Callable[[int], nn.Module] | None = None,
    dense: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32-true",
    progress: Progress = silent,
) -> Unlearned:
    """A copy of `model` from which `method` has removed the forget set of `split`.

    `config` is the method's settings (default: the paper's), as its dataclass or as a mapping.
    Retrain needs `training` and `rebuild`, a function from a seed to a fresh network. A model whose
    weights hold many exact zeros is sparse and stays so, which a note of the result says, unless it
    is `dense`.

    Another note tells if the result is far worse on the retained samples.

    Raises:
        ConfigError: an unknown method or setting, or the method needs something that is missing.
        DivergedError: a loss, a weight or an output is no longer finite.
        ModelError: the model does not fit the data.
    """
    from expunge.config import from_mapping

    chosen = get_method(method)
    if config is None or isinstance(config, Mapping):
        config = from_mapping(chosen.config, config or {}, f"method {method}")
    model, mask, notes = _as_found(model, dense)
    notes += _check_fit(model, split)
    context = _context(seed, device, training=training, precision=precision, progress=progress)
    context = replace(context, mask=mask, rebuild=rebuild)
    unlearned, seconds = run_method(chosen, model, split, config, context)
    notes += look_at(chosen, model, unlearned, split, config, context)
    return Unlearned(unlearned, mask, method, config, seconds, split.forget_ids, notes)


def _as_found(
    given: nn.Module | Sparse, dense: bool
) -> tuple[nn.Module, Mask | None, tuple[str, ...]]:
    """A model to work on, its mask, from its zeros if it came without one, and notes on both."""
    mask, whole = (given.mask, given.model) if isinstance(given, Sparse) else (None, given)
    check_weights(whole)
    model, found = (without_hooks(whole)[0], None) if mask or dense else from_elsewhere(whole)
    notes = []
    if found is not None:
        notes.append(
            f"{mask_sparsity(found):.1%} of the weights in {len(found)} layers are zero and stay "
            "zero: pass dense=True to change them too"
        )
    if any("_orig" in name for name in whole.state_dict().keys() - model.state_dict().keys()):
        notes.append("the result has plain parameters, without the masks of torch.nn.utils.prune")
    return model, found if mask is None else mask, tuple(notes)


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

    `test` is anything that `split` takes as `train`; of a `Dataset`, the test samples are taken.
    What so few samples cannot give is None, with the reason in `reasons`.

    Raises:
        DataError: the test data cannot be read.
        ModelError: the model does not fit the data.
    """
    # Use the training data's class names: a class missing from the test data shifts no others.
    samples = _samples(test, "test", class_names=split.train.class_names)
    found = _measured(model, split, samples, seed, device)
    metrics = _numbers(found)
    reasons = {name: each.reason for name, each in found.items() if each.reason}
    alone = Evaluation(
        metrics=metrics,
        gap=None,
        gap_reason="no retrained model was given as reference",
        reasons=reasons,
        draws={name: each.draws for name, each in found.items() if each.draws is not None},
        intervals=_intervals(metrics, split, samples),
    )
    if reference is None:
        return alone
    weights, others = dict(model.named_parameters()), dict(reference.named_parameters())
    if {n: p.shape for n, p in weights.items()} == {n: p.shape for n, p in others.items()}:
        metrics["weight_distance"] = weight_distance(
            {n: p.detach() for n, p in weights.items()}, {n: p.detach() for n, p in others.items()}
        )
    lacking = [name for name in COMPARED if name in reasons]
    if lacking:
        reason = f"there is no {lacking[0]} to compare: {reasons[lacking[0]]}"
        return replace(alone, gap_reason=reason)
    retrained = _numbers(_measured(reference, split, samples, seed, device))
    return replace(alone, gap=gap(metrics, retrained), gap_reason=None)


def _samples(
    data: Any,
    role: Literal["train", "test"],
    *,
    ids: Iterable[Any] | None = None,
    class_names: tuple[str, ...] | None = None,
) -> Samples:
    """The samples in anything that this module takes as data."""
    named = None if ids is None else _as_ids(ids)
    if isinstance(data, Dataset):
        data = getattr(data, role)
    if isinstance(data, Samples) and named is not None:
        raise DataError(f"the {role} samples have ids already: leave ids out")
    name = "test" if role == "test" else "data"
    return as_samples(data, ids=named, name=name, class_names=class_names)


def _as_ids(ids: Iterable[Any]) -> list[str]:
    values = ids.tolist() if hasattr(ids, "tolist") else ids
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise DataError(f"ids must be one text or whole number per sample, got {values!r:.60}")
    named = [as_id(each) for each in values]
    others = [each for each in named if not isinstance(each, str)]
    if others:
        raise DataError(
            f"ids must be one text or whole number per sample, got {some(map(repr, others))}"
        )
    return [str(each) for each in named]


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


def _numbers(found: Mapping[str, Measured]) -> dict[str, float | None]:
    return {
        name: each.value for name, each in found.items() if not isinstance(each.value, dict | list)
    }


def _measured(
    model: nn.Module, split: Split, test: Samples, seed: int, device: str
) -> dict[str, Measured]:
    """The metrics that are numbers."""
    inputs = split.train.inputs
    check_outputs(model, inputs.shape, split.train.num_classes, inputs.kind)
    fabric = _fabric(device, FLOAT32)
    evidence = Evidence(
        predictions={
            name: Predictions(predict(model, each, fabric).numpy(), each.labels.numpy())
            for name, each in (("train", split.train), ("test", test))
        },
        forget=flags_of(split.forget.numpy(), len(split.train)),
        retain=flags_of(split.retain.numpy(), len(split.train)),
        classes=split.classes,
        ids=split.train.ids,
        seed=derive_seed(seed, "attack"),
    )
    return {
        name: each
        for name in _MEASURED
        if not isinstance((each := measure(get_metric(name), evidence)).value, dict | list)
    }


def _check_fit(model: nn.Module, split: Split) -> tuple[str, ...]:
    """Refuse a model that cannot work on these samples; notes on it."""
    inputs = split.train.inputs
    return check_model(model, inputs.shape, split.train.num_classes, inputs.kind)


def _fabric(device: str, precision: str) -> "Fabric":
    from lightning_fabric import Fabric

    check_choice("precision", precision, PRECISIONS)
    kind = device_kind(device)
    used = precision_on(kind, precision)
    return Fabric(accelerator=kind, devices=1, precision=used)  # type: ignore[arg-type]


def _context(
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
