"""The training loop that every gradient-based method uses."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from expunge.errors import ConfigError, DivergedError, unknown
from expunge.settings import Training, check_augmentation, derive_seed
from expunge.sparsity.gamma import GammaSchedule, gamma_at
from expunge.sparsity.l1 import add_l1_gradient, proximal_step
from expunge.sparsity.mask import apply_mask
from expunge.sparsity.masker import Masker
from expunge.tasks.inputs import cast_inputs
from expunge.tasks.outputs import first_output
from expunge.tasks.task import Task
from expunge.training.compiled import compiled, uncompiled
from expunge.training.holder import Holder
from expunge.training.placement import at_work
from expunge.training.reproducibility import seeded_layers
from expunge.training.schedule import learning_rate
from expunge.training.share import sum_over_processes
from expunge.training.step import Loss, Phase, Step
from expunge.training.streams import Batch, Lane, Stream
from expunge.training.whole_batch import whole_batch
from expunge.types import Context, Mask

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """γ‖θ‖₁ over all parameters, added to the loss at every step."""

    gamma: float
    schedule: GammaSchedule = "linear_decay"
    form: Literal["subgradient", "proximal"] = "subgradient"


def fit(
    model: nn.Module,
    streams: Stream | Mapping[str, Stream],
    loss: Loss | Sequence[Sequence[Phase]],
    training: Training,
    context: Context,
    *,
    label: str = "train",
    teachers: Mapping[str, nn.Module] | None = None,
    penalty: Penalty | None = None,
    only: Mask | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> None:
    """Train `model` in place with the settings `training` on the `loss` of `streams`.

    Each step descends the sum over streams of the mean loss of the stream's batch. The first stream
    leads: an epoch is one pass over it. The other streams give as many batches, and start again
    when they run out. Instead of one loss, `loss` may list the phases of each epoch; each phase is
    a pass over one stream with its own loss. Weights that `context.mask` prunes are zero after
    every step, and so is their momentum. Weights that `only` does not keep, of the parameters that
    it names, stay as they are. `teachers` are in evaluation mode and are not trained.
    `after_epoch` is called with the number of epochs done, starting at 0. Progress is reported as
    `label`, and each epoch's loss and learning rate too. Modes, device and global random state are
    restored on return. Multi-process results equal single-process ones, except in random layers
    such as dropout.

    Raises:
        ConfigError: the proximal ℓ1 step with an optimiser other than SGD, the ℓ1 subgradient with
            a precision that scales gradients, or augmentation of inputs that are not images; an
            empty or unknown stream; a number of phase lists other than the epochs of `training`; a
            loss without exactly one number per sample.
        DivergedError: the loss of an epoch, or a final weight, is not finite.
        MaskError: the mask, or `only`, does not belong to the model.
    """
    _check_penalty(penalty, training, context.fabric)
    fabric, device = context.fabric, context.device
    task = context.task.trained_by(training)
    lanes = _lanes(streams, task, training, context)
    epochs = _phases(loss, lanes, training.epochs)
    steps = sum(len(lanes[phase.leads]) for phases in epochs for phase in phases)
    frozen = teachers or {}
    with ExitStack() as placed:
        placed.enter_context(at_work(model, device, training=True))
        for teacher in frozen.values():
            placed.enter_context(at_work(teacher, device, training=False))
        if context.mask is not None:
            apply_mask(model, context.mask)
        parameters = [p for p in model.parameters() if p.requires_grad]
        optimizer = _optimizer(parameters, training)
        keepers: list[Callable[[], None]] = [] if only is None else [Holder(model, only)]
        keepers += [] if context.mask is None else [Masker(model, context.mask, optimizer)]
        network, stepper = _set_up(model, optimizer, lanes, context)
        taught = {name: _frozen(teacher, fabric) for name, teacher in frozen.items()}

        layers_seed = derive_seed(context.seed, f"layers:{fabric.global_rank}")
        placed.enter_context(seeded_layers(device, layers_seed))
        if after_epoch is not None:
            after_epoch(0)
        done = seen = 0
        for epoch, phases in enumerate(epochs):
            gamma = 0.0 if penalty is None else _gamma(penalty, epoch, training.epochs)
            total = torch.zeros((), device=device)
            before = done
            for phase in phases:
                count = len(lanes[phase.leads])
                drawn = {
                    name: lane.one_pass() if name == phase.leads else lane.next_batches(count)
                    for name, lane in lanes.items()
                }
                for number in range(count):
                    lr = learning_rate(training, epoch * count + number, count)
                    for group in optimizer.param_groups:
                        group["lr"] = lr
                    step = Step(task, phase.leads, drawn, network, taught)
                    total += _backward(step, phase.loss, fabric)
                    if penalty is not None and penalty.form == "subgradient":
                        add_l1_gradient(parameters, gamma)
                    stepper.step()
                    if penalty is not None and penalty.form == "proximal":
                        proximal_step(parameters, lr * gamma)
                    for keep in keepers:
                        keep()
                    stepper.zero_grad()
                    done += 1
                    seen += step.seen
                    context.progress(label, done, steps, seen)
            # Read the loss once per epoch: each read makes the device wait for the host.
            mean = float(sum_over_processes(total, fabric)) / max(1, done - before)
            if not math.isfinite(mean):
                raise DivergedError(
                    f"{label}: the loss of epoch {epoch + 1} of {training.epochs} is {mean}: "
                    f"expected a finite number; lower the learning rate (lr={training.lr})"
                )
            context.record_epoch(label, epoch + 1, mean, lr)
            if after_epoch is not None:
                after_epoch(epoch + 1)
    check_finite(model, label)


def _lanes(
    streams: Stream | Mapping[str, Stream], task: Task, training: Training, context: Context
) -> dict[str, Lane]:
    """One lane per stream; samples that several streams share are copied to the device once."""
    if not (named := {"samples": streams} if isinstance(streams, Stream) else streams):
        raise ConfigError("training needs at least one stream of samples, got none")
    for stream in named.values():
        check_augmentation(context.augmentation, stream.samples.inputs.kind)
    inputs = {
        id(samples): samples.inputs.to(context.device)
        for samples in {id(s.samples): s.samples for s in named.values()}.values()
    }
    return {
        name: Lane(
            name,
            stream,
            stream.batch_size or training.batch_size,
            inputs[id(stream.samples)],
            task,
            context,
            first=number == 0,
        )
        for number, (name, stream) in enumerate(named.items())
    }


def _phases(
    loss: Loss | Sequence[Sequence[Phase]], lanes: Mapping[str, Lane], epochs: int
) -> Sequence[Sequence[Phase]]:
    """The phases of each epoch."""
    if callable(loss):
        return [[Phase(next(iter(lanes)), loss)]] * epochs
    if len(loss) != epochs:
        raise ConfigError(f"expected phases for {epochs} epochs, got phases for {len(loss)}")
    for phase in chain.from_iterable(loss):
        if phase.leads not in lanes:
            raise ConfigError(unknown("stream", phase.leads, lanes))
    return loss


def _set_up(
    model: nn.Module, optimizer: Optimizer, lanes: Mapping[str, Lane], context: Context
) -> tuple[Callable[[Batch], Tensor], Optimizer]:
    """A function from a batch to outputs, compiled if asked for, and the wrapped optimiser."""
    fabric = context.fabric
    # Batches of unusual size run eagerly: each size would be compiled again.
    usual = [lane for lane in lanes.values() if context.compiled and lane.has_usual_batches]
    sizes = {lane.batch_size for lane in usual}
    network, stepper = fabric.setup(
        compiled(model, usual[0].first_inputs(), context) if usual else model, optimizer
    )

    def outputs(batch: Batch) -> Tensor:
        eager = uncompiled(bool(usual) and batch.size not in sizes)
        with eager, whole_batch(fabric, counts=batch.counts):
            try:
                return first_output(network(batch.inputs))
            except ValueError as error:
                if batch.size > 1 or "more than 1" not in str(error):
                    raise
                raise ConfigError(
                    "the network cannot be trained on a batch of one sample, because it normalises "
                    f"over the batch ({error}): expected two samples or more; raise batch_size, or "
                    "freeze its batch normalisation with eval()"
                ) from error

    return outputs, stepper


def _frozen(teacher: nn.Module, fabric: "Fabric") -> Callable[[Batch], Tensor]:
    """A function from a batch to the teacher's outputs, in the precision of training."""
    dtype = next(p.dtype for p in teacher.parameters() if p.is_floating_point())

    def outputs(batch: Batch) -> Tensor:
        with torch.no_grad(), fabric.autocast():
            found = teacher(cast_inputs(batch.inputs, dtype))
        converted: Tensor = fabric.strategy.precision.convert_output(found)
        return converted

    return outputs


def _backward(step: Step, loss: Loss, fabric: "Fabric") -> Tensor:
    """Compute the gradients of the sum over streams of the mean loss of each batch.

    Returns the part of that sum from this process's samples.
    """
    found = loss(step)
    by_stream = found if isinstance(found, Mapping) else {step.leads: found}
    parts = []
    for stream, losses in by_stream.items():
        batch = step.batch(stream)
        if losses.shape != batch.targets.shape[:1]:
            raise ConfigError(
                f"the loss of stream {stream!r} must have one number per sample, shape "
                f"{tuple(batch.targets.shape[:1])}, got {tuple(losses.shape)}"
            )
        parts.append(losses.sum() * (batch.counts / batch.size))
    part = sum(parts[1:], parts[0])
    # Data parallelism averages gradients over processes; here they must be summed.
    fabric.backward(part * fabric.world_size)
    return part.detach()


def check_finite(model: nn.Module, label: str) -> None:
    """Refuse a model with a weight or buffer that is not finite.

    Raises:
        DivergedError: names the first such tensor.
    """
    for name, tensor in model.state_dict().items():
        # Extra state may be anything.
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            continue
        if not bool(torch.isfinite(tensor).all()):
            raise DivergedError(
                f"{label}: {name} is no longer finite; lower the learning rate or the step"
            )


def _check_penalty(penalty: Penalty | None, training: Training, fabric: "Fabric") -> None:
    if penalty is None:
        return
    if penalty.form == "subgradient" and getattr(fabric.strategy.precision, "scaler", None):
        # The penalty would be added to gradients that are about 10⁵ times too large.
        raise ConfigError(
            "the l1 subgradient is added to gradients, which float16 scales: "
            "use precision=bf16-mixed or 32-true"
        )
    if penalty.form == "proximal" and training.optimizer != "sgd":
        # AdamW rescales each coordinate, so lr·γ is not the threshold of the ℓ1 penalty.
        raise ConfigError(
            f"the proximal l1 penalty needs SGD, got optimizer={training.optimizer}: "
            "use optimizer=sgd or form=subgradient"
        )


def _optimizer(parameters: list[nn.Parameter], training: Training) -> Optimizer:
    if training.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters,
            lr=training.lr,
            betas=(training.momentum, 0.999),
            weight_decay=training.weight_decay,
            fused=True,
        )
    return torch.optim.SGD(
        parameters,
        lr=training.lr,
        momentum=training.momentum,
        nesterov=training.nesterov and training.momentum > 0,
        weight_decay=training.weight_decay,
        fused=True,
    )


def _gamma(penalty: Penalty, epoch: int, epochs: int) -> float:
    return gamma_at(penalty.schedule, penalty.gamma, epoch, epochs)
