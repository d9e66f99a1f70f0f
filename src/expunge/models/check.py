"""Check that a network matches a dataset, before any long work starts."""

from __future__ import annotations

import copy
from itertools import chain
from operator import itemgetter

import torch
from torch import Tensor, nn

from expunge.batch import Batch, map_batch
from expunge.errors import ModelError, line_of, some
from expunge.models.probe import aside, example_batch, probe
from expunge.models.tensors import oddity
from expunge.settings import InputKind
from expunge.tasks import classify
from expunge.tasks.outputs import first_output
from expunge.tasks.task import Task


def check_outputs(
    model: nn.Module,
    shape: tuple[int, ...],
    num_classes: int,
    kind: InputKind = "images",
    task: Task = classify.TASK,
) -> None:
    """Refuse a network that does not map two inputs of `shape` to finite outputs of its task.

    For classification these are logits `(2, classes)`. Its weights must be float32, and it runs in
    evaluation mode. `kind` and `shape` come from the data's `Inputs`.

    Raises:
        ModelError: a weight is of another kind, the forward pass fails, or returns something else.
    """
    check_weights(model)
    inputs, _ = _example(model, shape, kind, task)
    outputs = probe(model, inputs, shape, kind)
    _check_shape(outputs, task.output_shape(shape, num_classes), kind, task)


def check_model(
    model: nn.Module,
    shape: tuple[int, ...],
    num_classes: int,
    kind: InputKind = "images",
    task: Task = classify.TASK,
) -> tuple[str, ...]:
    """Refuse a network that cannot be trained, unlearned from and measured; return notes on it.

    It runs as methods run it: forward and backward, in evaluation mode and, in a copy, in training
    mode. The network is not changed.

    Raises:
        ModelError: as in `check_outputs`, or it cannot be copied, evaluated on one input, or
            trained.
    """
    check_outputs(model, shape, num_classes, kind, task)
    trainable = [name for name, each in model.named_parameters() if each.requires_grad]
    frozen = [name for name, each in model.named_parameters() if not each.requires_grad]
    if not trainable:
        raise ModelError(
            f"every parameter of the network is frozen ({some(frozen, 3)}): expected one or more "
            "to train; call requires_grad_(True) on those that may change"
        )
    notes = []
    if frozen:
        notes.append(
            f"{len(frozen)} of {len(frozen) + len(trainable)} parameters are frozen, and no "
            f"training or unlearning changes them, but pruning may: {some(frozen, 3)}"
        )
    batch, targets = _example(model, shape, kind, task)
    notes += _evaluated(model, batch, kind)
    notes += _trained(model, batch, targets, task.output_shape(shape, num_classes), kind, task)
    return tuple(notes)


def check_storable(model: nn.Module) -> None:
    """Refuse a network with state that is no tensor, because files of weights hold only tensors.

    Raises:
        ModelError: names the state.
    """
    others = [name for name, value in model.state_dict().items() if not isinstance(value, Tensor)]
    if others:
        raise ModelError(
            f"the network keeps state that is no tensor and cannot be stored: {some(others)}; "
            "keep it in a buffer, or pass it when the network is built"
        )


def check_weights(model: nn.Module) -> None:
    """Refuse weights that the computations here do not support, without running the network.

    Raises:
        ModelError: names those that are not float32, have no shape or values yet, or are not dense.
    """
    parameters = dict(model.named_parameters())
    if not parameters:
        raise ModelError(f"{type(model).__name__} has no parameters: expected a network to train")
    every = dict(chain(parameters.items(), model.named_buffers()))
    if lazy := [name for name, each in every.items() if nn.parameter.is_lazy(each)]:
        raise ModelError(
            f"{some(lazy)} have no shape yet: build the layers with their sizes, or run the "
            "network once on a batch before it is used here"
        )
    if unfit := [f"{name} ({odd})" for name, each in every.items() if (odd := oddity(each))]:
        raise ModelError(f"expected dense tensors with values, got {some(unfit)}")
    others = [
        f"{name} ({str(each.dtype).removeprefix('torch.')})"
        for name, each in parameters.items()
        if each.is_complex() or (each.is_floating_point() and each.dtype != torch.float32)
    ]
    if others:
        raise ModelError(
            f"expected float32 weights, got {some(others, 3)}: convert the network with "
            "model.float(), or hold complex numbers as two real parameters; "
            "precision='bf16-mixed' trains float32 weights in bfloat16"
        )


def _example(
    model: nn.Module, shape: tuple[int, ...], kind: InputKind, task: Task
) -> tuple[Batch, Tensor]:
    """The inputs and targets of two samples, of the first two classes."""
    stored = example_batch(model, shape, kind)
    device = next(iter(stored.values() if isinstance(stored, dict) else [stored])).device
    drawn = task.draw(2, shape, torch.Generator(device).manual_seed(0))
    return task.example(stored, torch.arange(2, device=device), drawn)


def _check_shape(
    outputs: object, shape: tuple[int, ...], kind: InputKind, task: Task, when: str = ""
) -> None:
    """Refuse anything but finite outputs of `shape` for each of two inputs."""
    expected = (2, *shape)
    what = "logits" if task.classifies else "outputs"
    if not isinstance(outputs, Tensor):
        raise ModelError(
            f"the network must return {what}, a tensor {expected} for 2 {kind}, "
            f"got {type(outputs).__name__}: wrap it so that it returns only the {what}"
        )
    if tuple(outputs.shape) != expected:
        advice = f": set its number of classes to {shape[0]}" if task.classifies else ""
        raise ModelError(
            f"the network must return {what} of shape {expected} for 2 {kind}{when}, "
            f"got {tuple(outputs.shape)}{advice}"
        )
    if not outputs.is_floating_point() or not bool(outputs.isfinite().all()):
        raise ModelError(
            f"the network must return finite floats for 2 {kind}{when}, got {outputs.dtype} with "
            f"{int((~outputs.isfinite()).sum())} of {outputs.numel()} not finite"
        )


def _evaluated(model: nn.Module, batch: Batch, kind: InputKind) -> list[str]:
    """What evaluation on the same inputs, and on each alone, shows."""
    rows = [map_batch(itemgetter(slice(row, row + 1)), batch) for row in range(2)]
    with aside(model, training=False), torch.no_grad():
        first, again = model(batch), model(batch)
        try:
            alone = torch.cat([model(row) for row in rows])
        except Exception as error:
            raise ModelError(
                f"the network fails on a batch of one of the {kind} in evaluation mode: "
                f"{line_of(error)}"
            ) from error
    if not _close(first, again):
        return [
            "the network's outputs for the same inputs differ in evaluation mode: it uses random "
            "numbers (dropout without training=self.training?) or changes its state, and no "
            "measure repeats exactly"
        ]
    if not _close(first, alone):
        return [
            "an input's outputs depend on the others in its batch in evaluation mode (batch "
            "normalisation without running statistics?): every measure depends on the batches"
        ]
    return []


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def _trained(
    model: nn.Module,
    batch: Batch,
    targets: Tensor,
    shape: tuple[int, ...],
    kind: InputKind,
    task: Task,
) -> list[str]:
    """Train a copy for half a step in both modes, and say what takes no part in it."""
    notes = []
    try:
        trial = copy.deepcopy(model)
    except Exception as error:
        raise ModelError(
            f"methods work on a copy of the network, and it cannot be copied: {line_of(error)}"
        ) from error
    for training in (False, True):
        when = f" in {'training' if training else 'evaluation'} mode"
        with aside(trial, training=training), torch.enable_grad():
            try:
                outputs = trial(batch)
            except Exception as error:
                raise ModelError(
                    f"the network fails on 2 {kind}{when}: {line_of(error)}"
                ) from error
            first = first_output(outputs)
            _check_shape(first, shape, kind, task, when)
            try:
                torch.autograd.backward(task.loss(first, targets.to(first.device)).mean())
            except Exception as error:
                raise ModelError(
                    f"the network's outputs have no usable gradient{when}: {line_of(error)}"
                ) from error
    if outputs is not first:
        notes.append(
            f"in training mode the network returns {type(outputs).__name__}: training uses its "
            "first output, and auxiliary heads are not trained"
        )
    # In neither mode: a block that training leaves out at random is used in evaluation.
    unused = [
        name for name, each in trial.named_parameters() if each.requires_grad and each.grad is None
    ]
    if unused:
        notes.append(f"no gradient reaches {some(unused, 3)}: gradient steps do not change them")
    return notes
