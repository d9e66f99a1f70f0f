"""Split data, and train, prune and unlearn models."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from expunge.api.given import fabric_on, samples_in
from expunge.api.results import Sparse, Unlearned
from expunge.data.sources import load as load_dataset
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError
from expunge.methods import get_method
from expunge.methods.outcome import look_at
from expunge.methods.run import run_method
from expunge.models.check import check_model, check_weights
from expunge.scenarios import Scenario, by_indices, make_split, parse
from expunge.settings import Augmentation, Progress, Training, silent
from expunge.sparsity import get_pruner
from expunge.sparsity.found import from_elsewhere, without_hooks
from expunge.sparsity.mask import mask_sparsity
from expunge.training.fit import fit
from expunge.training.sparsify import sparsify
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context, Dataset, Mask, Split


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
    samples = samples_in(train, "train", ids=ids)
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
    samples = samples_in(data, "train")
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
    model, mask, notes = as_found(model, dense)
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
    model, mask, notes = as_found(model, dense)
    notes += _check_fit(model, split)
    context = _context(seed, device, training=training, precision=precision, progress=progress)
    context = replace(context, mask=mask, rebuild=rebuild)
    unlearned, seconds = run_method(chosen, model, split, config, context)
    notes += look_at(chosen, model, unlearned, split, config, context)
    return Unlearned(unlearned, mask, method, config, seconds, split.forget_ids, notes)


def as_found(
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


def _check_fit(model: nn.Module, split: Split) -> tuple[str, ...]:
    """Refuse a model that cannot work on these samples; notes on it."""
    inputs = split.train.inputs
    return check_model(model, inputs.shape, split.train.num_classes, inputs.kind)


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
        fabric=fabric_on(device, precision),
        seed=seed,
        training=training,
        progress=progress,
        augmentation=augmentation,
    )
