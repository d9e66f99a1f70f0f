"""Fisher forgetting (FF): noise on every weight, most where retained samples need it least."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

from expunge.methods.method import Method, Range
from expunge.settings import check_choice, check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.curvature.coordinates import Coordinates
    from expunge.types import Context, Split


Fisher = Literal["per_sample", "sampled", "signs", "batch_mean"]
"""How the Fisher information is computed."""


@dataclass(frozen=True, kw_only=True)
class FisherForgettingConfig:
    """Settings of FF. Defaults are the paper's, except that the Fisher information is exact."""

    alpha: float = 3e-8
    """Scale α of the noise variance; the paper uses about 3e-8, sometimes 1e-9."""
    fisher: Fisher = "per_sample"
    """`per_sample`: exact over classes; `sampled`: sampled labels; `signs`: random sums of all
    classes; `batch_mean`: as published."""
    draws: int = 1
    """Labels, or sums of classes, that `sampled` and `signs` draw per sample."""
    max_variance: float = 1e3
    """Upper bound on F⁻¹, before α; it applies to weights that the retained samples do not need."""
    class_variance: float = 1e-4
    """Variance around zero of a forgotten class's row in the head; class scenarios only."""
    batch_size: int = 32
    """Samples per batch; changes the result of `batch_mean` only."""

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, None)
        check_choice("fisher", self.fisher, get_args(Fisher))
        check_range("draws", self.draws, 1, None)
        check_range("max_variance", self.max_variance, 0, None)
        check_range("class_variance", self.class_variance, 0, None)
        check_range("batch_size", self.batch_size, 1, None)


def fisher_forgetting(
    model: nn.Module, split: Split, config: FisherForgettingConfig, context: Context
) -> nn.Module:
    """A copy of `model` with θ = θ_o + √(α F⁻¹) ⊙ N(0, 1) (Golatkar et al. 2020, section 5).

    F is the diagonal Fisher information of the retained samples in evaluation mode, without
    augmentation. In class scenarios, the rows of the head for forgotten classes are drawn around
    zero. Frozen and pruned weights do not change.

    Raises:
        DivergedError: a weight is no longer finite.
        ModelError: no weight can change, or, in a class scenario, the model has no head.
    """
    import torch

    from expunge.curvature.coordinates import Coordinates
    from expunge.curvature.head import head_parameters
    from expunge.modes import mode
    from expunge.training.fit import check_finite
    from expunge.training.inputs import input_batches
    from expunge.training.placement import place_back
    from expunge.training.reproducibility import full_float32

    student = copy.deepcopy(model)
    home = next(student.parameters()).device
    student.to(context.device)
    coordinates = Coordinates(student, context.mask)
    published = config.fisher == "batch_mean"
    with mode(student, training=False), full_float32():
        # Only the noise depends on α and the bounds of the variance.
        fisher = context.reuse.once(
            (config.fisher, config.draws, config.batch_size),
            context.device,
            lambda: _fisher(student, coordinates, split, config, context),
        )
        # Look for a head only if it is needed.
        head: tuple[str, ...] = ()
        if published or split.classes:
            one = input_batches(student, split.train, split.retain[:1], 1, context, "ff: head")
            sample, _ = next(one())
            head = head_parameters(student, sample)
    generator = context.generator("noise")
    with torch.no_grad():
        for name, p in coordinates.parameters.items():
            variance = (_published if published else _variance)(fisher[name], name in head, config)
            mean = p.clone()
            if name in head and split.classes:
                forgotten = list(split.classes)
                mean[forgotten] = 0
                variance[forgotten] = config.class_variance * (10 if published else 1)
            noise = torch.randn(p.shape, generator=generator, dtype=p.dtype).to(p.device)
            p.copy_(coordinates.restrict(name, mean + variance.sqrt() * noise))
    place_back(student, home)
    check_finite(student, f"ff with alpha={config.alpha}")
    return student


def _fisher(
    model: nn.Module,
    coordinates: Coordinates,
    split: Split,
    config: FisherForgettingConfig,
    context: Context,
) -> Mapping[str, Tensor]:
    """The Fisher information of the retained samples; processes share whole batches."""
    import torch

    from expunge.curvature.fisher import (
        batch_mean_fisher,
        exact_fisher,
        sampled_fisher,
        signed_fisher,
    )
    from expunge.training.inputs import input_batches
    from expunge.training.share import own_batches, sum_over_processes

    fabric, size = context.fabric, config.batch_size
    retain = own_batches(split.retain, size, fabric)
    batches = input_batches(model, split.train, retain, size, context, "ff: Fisher information")
    combine = partial(sum_over_processes, fabric=fabric)
    if config.fisher == "per_sample":
        return exact_fisher(model, coordinates, batches, context.task, combine)
    if config.fisher == "sampled":
        # Each process draws for all samples, so draws do not depend on the number of processes.
        draws = torch.rand((len(split.retain), config.draws), generator=context.generator("labels"))
        uniforms = own_batches(draws, size, fabric).to(context.device)
        return sampled_fisher(model, coordinates, batches, uniforms, context.task, combine)
    if config.fisher == "signs":
        shape = (len(split.retain), config.draws, split.train.num_classes - 1)
        bits = torch.randint(2, shape, generator=context.generator("signs"), dtype=torch.int8)
        signs = own_batches(2 * bits - 1, size, fabric).to(context.device)
        return signed_fisher(model, coordinates, batches, signs, context.task, combine)
    return batch_mean_fisher(model, coordinates, batches, context.task, combine)


def _variance(fisher: Tensor, in_head: bool, config: FisherForgettingConfig) -> Tensor:
    """α min(1/F, max_variance), elementwise."""
    return config.alpha * fisher.reciprocal().clamp(max=config.max_variance)


def _published(fisher: Tensor, in_head: bool, config: FisherForgettingConfig) -> Tensor:
    """As in the published code: a tenth of the bound in the head, and a mean over dimension 1.

    The head and all one-dimensional parameters get ten times the variance.
    """
    variance = (fisher + 1e-8).reciprocal()
    variance = config.alpha * variance.clamp(max=config.max_variance / (10 if in_head else 1))
    if variance.ndim > 1:
        variance = variance.mean(1, keepdim=True).expand_as(fisher).clone()
    return variance * 10 if in_head or fisher.ndim == 1 else variance


METHOD = Method(
    name="ff",
    run=fisher_forgetting,
    config=FisherForgettingConfig,
    reads=frozenset({"retain"}),
    search={"alpha": Range(1e-10, 1e-6, log=True)},
    example={"alpha": 1e-4, "batch_size": 7},
    milder="lower alpha",
    summary="add noise to every weight, most where the retained samples need it least",
    cite="Golatkar, Achille and Soatto, Eternal Sunshine of the Spotless Net, CVPR 2020",
)
