"""GraSP: keep the weights that preserve gradient flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError
from expunge.settings import check_range
from expunge.sparsity.pruner import Pruner
from expunge.sparsity.saliency import SaliencyConfig, mean_loss

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Mask, Samples


@dataclass(frozen=True, kw_only=True)
class GraspConfig(SaliencyConfig):
    """Settings of GraSP.

    Raises:
        ConfigError: the temperature is not positive.
    """

    temperature: float = 1.0
    """Divides the logits; 1 is the paper's equation, 200 is the value in its authors' code."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("temperature", self.temperature, 0, None)
        if self.temperature == 0:
            raise ConfigError("temperature must be more than 0, got 0")


def grasp(model: nn.Module, samples: Samples, config: GraspConfig, context: Context) -> Mask:
    """Prune the weights with the highest −θ ⊙ Hg: removing them reduces the gradient least.

    Raises:
        DivergedError: a score is not finite.
        MaskError: a layer would lose all its weights, or the model has no prunable weights.
    """
    from expunge.sparsity.ranking import keep_highest

    scores = gradient_flow_scores(model, samples, config, context)
    # Prune the highest: removing them leaves the most gradient, or even increases it.
    kept_by = {name: -score for name, score in scores.items()}
    return keep_highest(kept_by, config.sparsity, within=context.mask)


def gradient_flow_scores(
    model: nn.Module, samples: Samples, config: GraspConfig, context: Context
) -> dict[str, Tensor]:
    """−θ ⊙ Hg of every prunable weight (Wang et al. 2020, equation 8).

    g and H are the gradient and the Hessian of the draw's mean loss by the prunable weights. To
    first order, the score is half the increase of ‖g‖² when the weight is removed.

    Raises:
        MaskError: there is nothing to prune.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from expunge.modes import names_kept_in_evaluation
    from expunge.sparsity.working_copy import working_copy

    network, weights = working_copy(model, config.layers, context.mask, context.device)
    kept = names_kept_in_evaluation(model)
    variables = list(weights.values())
    gradients = [torch.zeros_like(weight) for weight in variables]
    for loss in mean_loss(network, samples, config, context, config.temperature, kept):
        terms = torch.autograd.grad(loss, variables, allow_unused=True, materialize_grads=True)
        torch._foreach_add_(gradients, terms)
    # The same draw again: H is the sum of the batch Hessians, and each multiplies the whole g.
    products = [torch.zeros_like(weight) for weight in variables]
    # Fused attention kernels have no second derivative.
    with sdpa_kernel(SDPBackend.MATH):
        for loss in mean_loss(network, samples, config, context, config.temperature, kept):
            terms = torch.autograd.grad(
                loss, variables, create_graph=True, allow_unused=True, materialize_grads=True
            )
            slope = torch.stack(
                [(g * t).sum() for g, t in zip(gradients, terms, strict=True)]
            ).sum()
            terms = torch.autograd.grad(slope, variables, allow_unused=True, materialize_grads=True)
            torch._foreach_add_(products, terms)
    home = next(model.parameters()).device
    return {
        name: (-weight.detach() * product).to(home)
        for (name, weight), product in zip(weights.items(), products, strict=True)
    }


PRUNER = Pruner(
    name="grasp",
    run=grasp,
    config=GraspConfig,
    example={"samples_per_class": 3},
    summary="keep the weights that preserve gradient flow, in a new network",
    cite=(
        "Wang, Zhang and Grosse 2020, Picking Winning Tickets Before Training by Preserving "
        "Gradient Flow (ICLR)"
    ),
    when="initial",
    needs_samples=True,
)
