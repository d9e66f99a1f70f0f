"""The one training loop: every method that takes gradient steps goes through it."""

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
from expunge.tasks.task import Task
from expunge.training.compiled import compiled, uncompiled
from expunge.training.placement import at_work
from expunge.training.reproducibility import seeded_layers
from expunge.training.schedule import learning_rate
from expunge.training.share import sum_over_processes
from expunge.training.step import Loss, Phase, Step
from expunge.training.streams import Batch, Lane, Stream
from expunge.training.whole_batch import whole_batch
from expunge.types import Context

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """γ‖θ‖₁ over all parameters, added to the loss of every step."""

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
    after_epoch: Callable[[int], None] | None = None,
) -> None:
    """Train `model` in place by `training` on the `loss` of `streams`.

    A step descends, of every stream, the mean of the losses over its batch, all added up. The first
    stream leads: an epoch is one pass over it; of the others as many batches are taken, in as many
    passes as that needs. Instead of a loss, `loss` may be the phases of every epoch, each a pass
    over a stream of its own by a loss of its own. Weights that `context.mask` prunes, and their
    momentum, are zero after every step. `teachers` are in evaluation mode, and are not trained.
    `after_epoch` is called with the number of epochs done, 0 included. Progress is told of as
    `label`. Modes, device and global random state are as before when it returns. Processes that
    share the batches compute what one would, but for what layers such as dropout draw.

    Raises:
        ConfigError: the proximal ℓ1 step is asked for with an optimiser other than SGD, a penalty
            on gradients that the precision scales, or augmentation of what is no image; a stream is
            empty or unknown; phases are not of as many epochs as `training` has; a loss is not of
            one number a sample.
        DivergedError: the loss of an epoch, or a weight at the end, is not finite.
        MaskError: the mask does not belong to the model.
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
        keep_zeros = Masker(model, context.mask, optimizer) if context.mask is not None else None
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
                    if keep_zeros is not None:
                        keep_zeros()
                    stepper.zero_grad()
                    done += 1
                    seen += step.seen
                    context.progress(label, done, steps, seen)
            # One look at the loss an epoch: more would make the device wait for the host.
            mean = float(sum_over_processes(total, fabric)) / max(1, done - before)
            if not math.isfinite(mean):
                raise DivergedError(
                    f"{label}: the loss of epoch {epoch + 1} of {training.epochs} is {mean}: "
                    f"expected a finite number; lower the learning rate (lr={training.lr})"
                )
            if after_epoch is not None:
                after_epoch(epoch + 1)
    check_finite(model, label)


def _lanes(
    streams: Stream | Mapping[str, Stream], task: Task, training: Training, context: Context
) -> dict[str, Lane]:
    """The streams at work; samples that several of them share are on the device once."""
    named = {"samples": streams} if isinstance(streams, Stream) else streams
    if not named:
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
    """The phases of every epoch."""
    if callable(loss):
        return [[Phase(next(iter(lanes)), loss)]] * epochs
    if len(loss) != epochs:
        raise ConfigError(f"expected the phases of {epochs} epochs, got those of {len(loss)}")
    for phase in chain.from_iterable(loss):
        if phase.leads not in lanes:
            raise ConfigError(unknown("stream", phase.leads, lanes))
    return loss


def _set_up(
    model: nn.Module, optimizer: Optimizer, lanes: Mapping[str, Lane], context: Context
) -> tuple[Callable[[Batch], Tensor], Optimizer]:
    """The outputs of a batch as a function, compiled if it is wanted, and the optimiser's steps."""
    fabric = context.fabric
    # Batches of another size run as the network is written: each size would be compiled anew.
    usual = [lane for lane in lanes.values() if context.compiled and lane.has_usual_batches]
    sizes = {lane.batch_size for lane in usual}
    network, stepper = fabric.setup(
        compiled(model, usual[0].first_inputs(), context) if usual else model, optimizer
    )

    def outputs(batch: Batch) -> Tensor:
        eager = uncompiled(bool(usual) and batch.size not in sizes)
        with eager, whole_batch(fabric, counts=batch.counts):
            found: Tensor = network(batch.inputs)
        return found

    return outputs, stepper


def _frozen(teacher: nn.Module, fabric: "Fabric") -> Callable[[Batch], Tensor]:
    """The outputs of a batch as a function, in the precision that the network is trained in."""
    dtype = next(p.dtype for p in teacher.parameters() if p.is_floating_point())

    def outputs(batch: Batch) -> Tensor:
        with torch.no_grad(), fabric.autocast():
            found = teacher(cast_inputs(batch.inputs, dtype))
        converted: Tensor = fabric.strategy.precision.convert_output(found)
        return converted

    return outputs


def _backward(step: Step, loss: Loss, fabric: "Fabric") -> Tensor:
    """Leave the gradients of the sum over streams of their batches' mean losses.

    Returns the part of the sum that comes from the samples of this process.
    """
    found = loss(step)
    by_stream = found if isinstance(found, Mapping) else {step.leads: found}
    parts = []
    for stream, losses in by_stream.items():
        batch = step.batch(stream)
        if losses.shape != batch.targets.shape[:1]:
            raise ConfigError(
                f"the loss of stream {stream!r} must be one number a sample, of shape "
                f"{tuple(batch.targets.shape[:1])}, got {tuple(losses.shape)}"
            )
        parts.append(losses.sum() * (batch.counts / batch.size))
    part = sum(parts[1:], parts[0])
    # Data parallel takes the mean of gradients over processes; theirs is to be the sum.
    fabric.backward(part * fabric.world_size)
    return part.detach()


def check_finite(model: nn.Module, label: str) -> None:
    """Refuse a model with a weight or buffer that is not finite.

    Raises:
        DivergedError: names the first such tensor.
    """
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DivergedError(
                f"{label}: {name} is no longer finite; lower the learning rate or the step"
            )


def _check_penalty(penalty: Penalty | None, training: Training, fabric: "Fabric") -> None:
    if penalty is None:
        return
    if penalty.form == "subgradient" and getattr(fabric.strategy.precision, "scaler", None):
        # The penalty would be added to gradients that are some 10⁵ times too large.
        raise ConfigError(
            "the l1 penalty is added to gradients, and float16 scales them: "
            "use precision=bf16-mixed or 32-true"
        )
    if penalty.form == "proximal" and training.optimizer != "sgd":
        # AdamW steps in a metric of its own, in which lr·γ is no threshold of the ℓ1 penalty.
        raise ConfigError(
            f"the proximal form of the l1 penalty is SGD's, got optimizer={training.optimizer}: "
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
