"""EK-FAC influence functions: the effect of leaving a sample out, by a Newton step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from expunge.attribution.attributor import Attributed, Attributor
from expunge.errors import ConfigError, ModelError, shown, some
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Samples


@dataclass(frozen=True, kw_only=True)
class EKFACConfig:
    """Settings of EK-FAC influence functions."""

    relative_damping: float = 0.1
    """λ as a share of the mean eigenvalue of the curvature; 0.1 is that of Grosse et al."""
    fisher: Literal["type-2", "mc", "empirical"] = "type-2"
    """How the Fisher is averaged over labels: exactly (one backward pass per class), by one draw
    from the predictions per sample, or at the labels of the data."""
    batch_size: int = 250
    """Samples per batch."""

    def __post_init__(self) -> None:
        check_range("relative_damping", self.relative_damping, 0, None)
        if self.relative_damping == 0:
            raise ConfigError(
                "relative_damping must be more than 0, got 0: the curvature is nearly singular"
            )
        check_range("batch_size", self.batch_size, 1, None)


def ekfac(
    model: nn.Module, train: Samples, targets: Samples, config: EKFACConfig, context: Context
) -> Attributed:
    """g_tᵀ (F + λ)⁻¹ g_i, with F the EK-FAC approximation of the Fisher of the training samples.

    Divided by N, it estimates how much higher the loss of t would be without sample i. Only weights
    of convolutions and linear layers have a factor (George et al. 2018); other weights, such as
    those of normalisation, are taken as fixed, and a note says so. Gradients of pruned weights are
    left out.

    Raises:
        ConfigError: the package curvlinops is not installed.
        ModelError: no layer has a factor, or the package cannot take the network.
    """
    import torch

    from expunge.attribution.gradients import Gradients, trained
    from expunge.attribution.placed import at_rest

    with at_rest(model, context.device) as network:
        everything = trained(network)
        names = tuple(name for name in _with_factors(network) if name in everything)
        if not names:
            raise ModelError(
                f"ekfac needs convolutions or linear layers with weights that are not frozen, and "
                f"{type(model).__name__} has none: use gradient_similarity"
            )

        gradients = Gradients(network, names, config.batch_size, context)
        # Also checks that samples are separate, before the package takes the network.
        parts = list(gradients.rows(targets, "gradients of the targets"))
        wanted = {name: torch.cat([part[name] for part in parts]) for name in names}
        solve = _inverse(network, names, train, config, context)
        solved = solve(wanted)
        scores = []
        for part in gradients.rows(train, "gradients of the training samples"):
            products = [solved[name].flatten(1) @ part[name].flatten(1).T for name in names]
            scores.append(torch.stack(products).sum(0).cpu())
    left_out = [name for name in everything if name not in names]
    notes: tuple[str, ...] = ()
    if left_out:
        sizes = {name: p.numel() for name, p in model.named_parameters()}
        share = sum(sizes[name] for name in left_out) / sum(sizes[name] for name in everything)
        notes = (
            f"ekfac takes {len(left_out)} of {len(everything)} parameters as fixed, {share:.1%} of "
            f"the weights, because they are not of convolutions or linear layers: "
            f"{some(left_out, limit=3)}",
        )
    return Attributed(torch.cat(scores, 1), notes)


def _with_factors(model: nn.Module) -> list[str]:
    """The parameters of convolutions and linear layers."""
    from torch import nn

    return [
        f"{name}.{local}" if name else local
        for name, module in model.named_modules()
        if type(module) in (nn.Conv2d, nn.Linear)
        for local, _ in module.named_parameters(recurse=False)
    ]


def _inverse(
    model: nn.Module,
    names: tuple[str, ...],
    train: Samples,
    config: EKFACConfig,
    context: Context,
) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    """The map from gradients `(T, *shape)` by name to (F + λ)⁻¹ times them."""
    import torch
    from torch import nn

    from expunge.training.inputs import input_batches

    curvlinops = _package()
    everything = torch.arange(len(train))
    batches = input_batches(model, train, everything, config.batch_size, context, "EK-FAC factors")
    parameters = dict(model.named_parameters())
    mask = {name: kept.to(context.device) for name, kept in (context.mask or {}).items()}
    for name, p in parameters.items():
        p.requires_grad_(name in names)
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            factors = curvlinops.EKFACLinearOperator(
                model,
                nn.CrossEntropyLoss(reduction="mean"),
                [parameters[name] for name in names],
                list(batches()),
                check_deterministic=False,
                fisher_type=config.fisher,
                separate_weight_and_bias=False,
                num_data=len(train),
                num_per_example_loss_terms=1,
                batch_size_fn=_count,
                seed=context.generator("EK-FAC labels").initial_seed() % 2**31,
            )
            size = sum(parameters[name].numel() for name in names)
            damping = config.relative_damping * float(factors.trace) / size
    except (ValueError, NotImplementedError, RuntimeError, IndexError) as error:
        reason = shown(" ".join(str(error).split()), limit=200)
        raise ModelError(
            f"curvlinops cannot take {type(model).__name__} ({reason}): use gradient_similarity"
        ) from error
    if not damping > 0:
        raise ModelError(
            f"the curvature of {type(model).__name__} is zero: every training sample is fitted "
            "exactly; use gradient_similarity"
        )
    inverse = curvlinops.KFACInverseLinearOperator(factors, damping=damping, use_exact_damping=True)

    def solve(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
        # The package takes vectors as columns, in a last dimension.
        columns = [gradients[name].movedim(0, -1).contiguous() for name in names]
        with torch.no_grad():
            found = inverse @ columns
        return {
            name: each.movedim(-1, 0) * mask[name] if name in mask else each.movedim(-1, 0)
            for name, each in zip(names, found, strict=True)
        }

    return solve


def _count(batch: Any) -> int:
    """How many samples a batch has: a tensor, or tensors by name, as of tokens."""
    return len(next(iter(batch.values())) if isinstance(batch, Mapping) else batch)


def _package() -> Any:
    try:
        with warnings.catch_warnings():
            # A package that it imports uses what PyTorch deprecates.
            warnings.simplefilter("ignore")
            import curvlinops
    except ImportError:
        raise ConfigError(
            "ekfac needs the package curvlinops: install expunge[attribution], or use "
            "gradient_similarity"
        ) from None
    return curvlinops


ATTRIBUTOR = Attributor(
    name="ekfac",
    run=ekfac,
    config=EKFACConfig,
    package="curvlinops",
    example={"batch_size": 7},
    summary="influence functions with the EK-FAC approximation of the curvature",
    cite="Koh and Liang, Understanding Black-box Predictions via Influence Functions, ICML 2017; "
    "Grosse et al., Studying Large Language Model Generalization with Influence Functions, 2023; "
    "George et al., Fast Approximate Natural Gradient Descent in a Kronecker-factored Eigenbasis, "
    "NeurIPS 2018",
)
