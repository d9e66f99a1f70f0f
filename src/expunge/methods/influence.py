"""Influence unlearning (IU): one Newton-like step that removes the effect of the forget set."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

from expunge.curvature import Curvature
from expunge.errors import ConfigError, DivergedError
from expunge.methods.method import Method, Range
from expunge.settings import check_choice, check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.curvature.coordinates import Coordinates
    from expunge.types import Context, Samples, Split


Solver = Literal["woodbury", "woodfisher", "cg", "rank1"]
"""How the inverse curvature is applied."""

_POWERS = 10
"""Products with the curvature to find its largest eigenvalue for `cg`."""


@dataclass(frozen=True, kw_only=True)
class InfluenceConfig:
    """Settings of IU. The number of samples is the paper's; the paper searches α from 1 to 20."""

    alpha: float = 1.0
    """Step length α; 1 is the Newton step."""
    solver: Solver = "woodbury"
    """`woodbury`, `woodfisher`, `cg` invert; `rank1`, the published recursion, does not."""
    damping: float = 0.03
    """The smallest λ > 0 added to the curvature's diagonal; unused by `rank1`."""
    relative_damping: float = 0.3
    """The smallest λ relative to the curvature's largest eigenvalue; 0: λ is `damping`, as
    published."""
    samples: int = 1000
    """Number M of retained samples for the curvature; all of them if there are fewer."""
    curvature: Curvature = "ggn"
    """For `cg`: Gauss-Newton `ggn` or the empirical `fisher`; other solvers always use `fisher`."""
    iterations: int = 50
    """Maximum number of products in `cg`."""
    tolerance: float = 1e-6
    """`cg` stops at this norm of the residual, relative to that of v."""
    batch_size: int = 64
    """Samples per batch; affects speed and memory, not the result."""
    memory_gib: float = 2.0
    """Memory in GiB that `woodbury` and `woodfisher` may use for all M samples."""

    def __post_init__(self) -> None:
        check_range("alpha", self.alpha, 0, None)
        check_choice("solver", self.solver, get_args(Solver))
        check_range("damping", self.damping, 0, None)
        if self.damping == 0:
            raise ConfigError(
                "damping must be more than 0, got 0: the curvature of a few samples is singular"
            )
        check_range("relative_damping", self.relative_damping, 0, None)
        check_range("samples", self.samples, 1, None)
        check_choice("curvature", self.curvature, get_args(Curvature))
        check_range("iterations", self.iterations, 1, None)
        check_range("tolerance", self.tolerance, 0, 1)
        check_range("batch_size", self.batch_size, 1, None)
        check_range("memory_gib", self.memory_gib, 0, None)

    def damping_for(self, scale: float) -> float:
        """λ for a curvature whose largest eigenvalue is `scale`, of which ten digits count."""
        # The last digits of an eigenvalue depend on where its matrix lies in memory.
        return max(self.damping, self.relative_damping * float(f"{scale:.10g}"))


def influence_unlearning(
    model: nn.Module, split: Split, config: InfluenceConfig, context: Context
) -> nn.Module:
    """A copy of `model` with θ = θ_o + α H⁻¹v (Koh & Liang 2017; Izzo et al. 2021).

    v = (1/N) Σ_forget ∇ℓ − (n_f / (N n_r)) Σ_retain ∇ℓ; H is λI plus the curvature C of M
    retained samples, drawn at random, with λ = max(`damping`, `relative_damping` · λ_max(C)).
    Everything is in evaluation mode, without augmentation. Frozen and
    pruned weights are left out of the gradients, the curvature and the step.

    Raises:
        DivergedError: the curvature is singular, or the step is not finite.
        ModelError: no weight can change, or the network mixes the samples of a batch.
    """
    import torch

    from expunge.curvature.coordinates import Coordinates
    from expunge.curvature.separate import FEW
    from expunge.modes import mode
    from expunge.training.placement import place_back
    from expunge.training.reproducibility import full_float32

    student = copy.deepcopy(model)
    home = next(student.parameters()).device
    student.to(context.device)
    coordinates = Coordinates(student, context.mask)
    with mode(student, training=False), full_float32():
        order = torch.randperm(len(split.retain), generator=context.generator("curvature"))
        drawn = split.retain[order[: config.samples]]
        _check(student, coordinates, split.train, drawn[:FEW], config, context)
        vector = _forget_direction(student, coordinates, split, config, context)
        solved = _solve(student, coordinates, split.train, drawn, vector, config, context)
        step = config.alpha * solved
    if not bool(torch.isfinite(step).all()):
        raise DivergedError(
            f"iu: the step is not finite with alpha={config.alpha}, damping={config.damping} and "
            f"relative_damping={config.relative_damping}: lower alpha or raise one of the others"
        )
    with torch.no_grad():
        for p, change in zip(
            coordinates.parameters.values(), coordinates.unflatten(step).values(), strict=True
        ):
            p.add_(change)
    place_back(student, home)
    return student


def _check(
    model: nn.Module,
    coordinates: Coordinates,
    samples: Samples,
    few: Tensor,
    config: InfluenceConfig,
    context: Context,
) -> None:
    """Refuse a network for which a solver's gradients or products would be wrong."""
    from expunge.curvature.products import check_products
    from expunge.curvature.separate import check_separate
    from expunge.training.inputs import input_batches

    batch, _ = next(input_batches(model, samples, few, len(few), context, "iu: check")())
    if config.solver in ("cg", "rank1"):
        check_products(model, coordinates, batch)
    else:
        check_separate(model, batch)


def _forget_direction(
    model: nn.Module,
    coordinates: Coordinates,
    split: Split,
    config: InfluenceConfig,
    context: Context,
) -> Tensor:
    """v, from one pass over all samples, split over processes."""
    import torch

    from expunge.curvature.products import weighted_gradient
    from expunge.training.inputs import input_batches
    from expunge.training.share import own_batches, sum_over_processes

    forget, retain = len(split.forget), len(split.retain)
    total = forget + retain
    weights = torch.full((total,), -forget / (total * retain), dtype=torch.float64)
    weights[:forget] = 1 / total
    size, fabric = config.batch_size, context.fabric
    index = own_batches(torch.cat([split.forget, split.retain]), size, fabric)
    batches = input_batches(model, split.train, index, size, context, "iu: gradients")
    return weighted_gradient(
        model,
        coordinates,
        batches,
        own_batches(weights, size, fabric),
        context.task,
        partial(sum_over_processes, fabric=fabric),
    )


def _solve(
    model: nn.Module,
    coordinates: Coordinates,
    samples: Samples,
    drawn: Tensor,
    vector: Tensor,
    config: InfluenceConfig,
    context: Context,
) -> Tensor:
    """H⁻¹v from the `drawn` samples, by the configured solver."""
    import torch

    from expunge.batch import map_batch
    from expunge.curvature.gram import gram_matrix
    from expunge.curvature.inverse import (
        conjugate_gradient,
        largest_eigenvalue,
        power_iteration,
        rank_one,
        woodbury,
        woodfisher,
    )
    from expunge.curvature.products import curvature_product, gradient_products, weighted_gradient
    from expunge.training.inputs import input_batches
    from expunge.training.share import own_batches, sum_over_processes

    size, task, label = config.batch_size, context.task, "iu: curvature"
    if config.solver == "cg":
        own = own_batches(drawn, size, context.fabric)
        product = curvature_product(
            model,
            coordinates,
            input_batches(model, samples, own, size, context, label),
            config.curvature,
            task,
            partial(sum_over_processes, fabric=context.fabric),
        )
        scale = power_iteration(product, vector, _POWERS) if config.relative_damping else 0.0
        damping = config.damping_for(scale)
        return conjugate_gradient(product, vector, damping, config.iterations, config.tolerance)
    # Each process uses all drawn samples: their number does not grow with the data, and the Gram
    # matrix needs all pairs of gradients.
    batches = input_batches(model, samples, drawn, size, context, label)
    if config.solver == "rank1":
        products = gradient_products(model, coordinates, batches, vector, task).double().cpu()
        given, labels = next(batches())
        one = [(map_batch(lambda tensor: tensor[:1], given), labels[:1])]
        first = weighted_gradient(model, coordinates, lambda: iter(one), torch.ones(1), task)
        along = gradient_products(model, coordinates, batches, first, task).double().cpu()
        return vector - rank_one(along, products).to(vector) * first
    memory = config.memory_gib * 2**30
    gram, products = gram_matrix(model, coordinates, batches, vector, len(drawn), memory, task)
    damping = config.damping_for(largest_eigenvalue(gram))
    solve = woodfisher if config.solver == "woodfisher" else woodbury
    coefficients = solve(gram, products, damping)
    correction = weighted_gradient(model, coordinates, batches, coefficients, task)
    return (vector - correction) / damping


METHOD = Method(
    name="iu",
    run=influence_unlearning,
    config=InfluenceConfig,
    reads=frozenset({"forget", "retain"}),
    search={"alpha": Range(0.1, 50, log=True)},
    example={"samples": 30, "batch_size": 7, "damping": 0.05},
    version=2,
    milder="raise damping or relative_damping, or lower alpha",
    summary="one influence-function step away from the forget set",
    cite="Koh and Liang, Understanding Black-box Predictions via Influence Functions, ICML 2017; "
    "Izzo et al., Approximate Data Deletion from Machine Learning Models, AISTATS 2021; "
    "Singh and Alistarh, WoodFisher, NeurIPS 2020",
)
