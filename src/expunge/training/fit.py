"""The one training loop: every method that takes gradient steps goes through it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from expunge.errors import ConfigError, DivergedError
from expunge.settings import Recipe, check_augmentation, derive_seed
from expunge.sparsity.gamma import GammaSchedule, gamma_at
from expunge.sparsity.l1 import add_l1_gradient, proximal_step
from expunge.sparsity.mask import apply_mask
from expunge.sparsity.masker import Masker
from expunge.training.batches import augmented_shares, shuffled_batches
from expunge.training.compiled import compiled, uncompiled
from expunge.training.layout import place_back, place_for_work
from expunge.training.modes import mode
from expunge.training.randomness import seeded_layers
from expunge.training.schedule import learning_rate
from expunge.training.share import sum_over_processes
from expunge.training.task import losses
from expunge.training.whole_batch import whole_batch
from expunge.types import Batch, Context, Samples

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
    samples: Samples,
    index: Tensor,
    recipe: Recipe,
    context: Context,
    *,
    task: str = "train",
    ascend: bool = False,
    penalty: Penalty | None = None,
    after_epoch: Callable[[int], None] | None = None,
) -> None:
    """Train `model` in place by `recipe` on the cross-entropy of `samples` at `index`.

    Weights that `context.mask` prunes, and their momentum, are zero after every step. `ascend`
    climbs the loss instead. `after_epoch` is called with the number of epochs done, 0 included.
    Modes, device and global random state are as before when it returns. Processes that share the
    batches compute what one would, but for what layers such as dropout draw.

    Raises:
        ConfigError: the proximal ℓ1 step is asked for with an optimiser other than SGD, a penalty
            on gradients that the precision scales, or augmentation of what is no image.
        DivergedError: the loss of an epoch, or a weight at the end, is not finite.
        MaskError: the mask does not belong to the model.
    """
    _check_penalty(penalty, recipe, context.fabric)
    check_augmentation(context.augmentation, samples.inputs.kind)
    fabric = context.fabric
    home = next(model.parameters()).device
    inputs = samples.inputs.to(context.device)
    index = index.cpu()
    place_for_work(model, context.device)
    if context.mask is not None:
        apply_mask(model, context.mask)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = _optimizer(parameters, recipe, ascend)
    keep_zeros = Masker(model, context.mask, optimizer) if context.mask is not None else None
    # Batches of another size run as the network is written: each size would be compiled anew.
    usual = recipe.batch_size if context.compiled and len(index) >= recipe.batch_size else None
    network, stepper = fabric.setup(
        model if usual is None else compiled(model, inputs, index[:usual], context), optimizer
    )
    order = context.generator("order")
    # One stream of draws for all processes.
    draws = context.generator("augmentation:0", context.device)
    # Under `maximize` the gradient is climbed: the penalty must then point the other way.
    sign = -1.0 if ascend else 1.0

    layers_seed = derive_seed(context.seed, f"layers:{fabric.global_rank}")
    with mode(model, training=True), seeded_layers(context.device, layers_seed):
        if after_epoch is not None:
            after_epoch(0)
        step = seen = 0
        for epoch in range(recipe.epochs):
            batches = shuffled_batches(index, recipe.batch_size, order)
            shares = augmented_shares(inputs, samples.labels, batches, context, draws)
            gamma = 0.0 if penalty is None else _gamma(penalty, epoch, recipe.epochs)
            total = torch.zeros((), device=context.device)
            for batch, (given, labels) in zip(batches, shares, strict=True):
                lr = learning_rate(recipe, step, len(batches))
                for group in optimizer.param_groups:
                    group["lr"] = lr
                with uncompiled(usual is not None and len(batch) != usual):
                    total += _backward(network, given, labels, len(batch), recipe, fabric)
                if penalty is not None and penalty.form == "subgradient":
                    add_l1_gradient(parameters, sign * gamma)
                stepper.step()
                if penalty is not None and penalty.form == "proximal":
                    proximal_step(parameters, lr * gamma)
                if keep_zeros is not None:
                    keep_zeros()
                stepper.zero_grad()
                step += 1
                seen += len(batch)
                context.progress(task, step, len(batches) * recipe.epochs, seen)
            # One look at the loss an epoch: more would make the device wait for the host.
            mean = float(sum_over_processes(total, fabric)) / len(batches)
            if not math.isfinite(mean):
                raise DivergedError(
                    f"{task}: the loss of epoch {epoch + 1} of {recipe.epochs} is {mean}: expected "
                    f"a finite number; lower the learning rate (lr={recipe.lr})"
                )
            if after_epoch is not None:
                after_epoch(epoch + 1)
    place_back(model, home)
    check_finite(model, task)


def _backward(
    network: nn.Module,
    batch: Batch,
    labels: Tensor,
    size: int,
    recipe: Recipe,
    fabric: "Fabric",
) -> Tensor:
    """Leave the gradients of a batch's mean loss, of which this process has a share of the samples.

    Returns the part of the mean that comes from the share; `size` is that of the whole batch.
    """
    counts = fabric.global_rank < size
    with whole_batch(fabric, counts=counts):
        loss, _ = losses(network, batch, labels, recipe.label_smoothing)
        part = loss.sum() * (counts / size)
        # Data parallel takes the mean of gradients over processes; theirs is to be the sum.
        fabric.backward(part * fabric.world_size)
    return part.detach()


def check_finite(model: nn.Module, task: str) -> None:
    """Refuse a model with a weight or buffer that is not finite.

    Raises:
        DivergedError: names the first such tensor.
    """
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DivergedError(
                f"{task}: {name} is no longer finite; lower the learning rate or the step"
            )


def _check_penalty(penalty: Penalty | None, recipe: Recipe, fabric: "Fabric") -> None:
    if penalty is None:
        return
    if penalty.form == "subgradient" and getattr(fabric.strategy.precision, "scaler", None):
        # The penalty would be added to gradients that are some 10⁵ times too large.
        raise ConfigError(
            "the l1 penalty is added to gradients, and float16 scales them: "
            "use precision=bf16-mixed or 32-true"
        )
    if penalty.form == "proximal" and recipe.optimizer != "sgd":
        # AdamW steps in a metric of its own, in which lr·γ is no threshold of the ℓ1 penalty.
        raise ConfigError(
            f"the proximal form of the l1 penalty is SGD's, got optimizer={recipe.optimizer}: "
            "use optimizer=sgd or form=subgradient"
        )


def _optimizer(parameters: list[nn.Parameter], recipe: Recipe, ascend: bool) -> Optimizer:
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(
            parameters,
            lr=recipe.lr,
            betas=(recipe.momentum, 0.999),
            weight_decay=recipe.weight_decay,
            maximize=ascend,
            fused=True,
        )
    return torch.optim.SGD(
        parameters,
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov and recipe.momentum > 0,
        weight_decay=recipe.weight_decay,
        maximize=ascend,
        fused=True,
    )


def _gamma(penalty: Penalty, epoch: int, epochs: int) -> float:
    return gamma_at(penalty.schedule, penalty.gamma, epoch, epochs)
