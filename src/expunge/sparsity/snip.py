"""SNIP: keep the weights whose removal would change the loss most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.sparsity.pruner import Pruner
from expunge.sparsity.saliency import SaliencyConfig, mean_loss

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Mask, Samples


def snip(model: nn.Module, samples: Samples, config: SaliencyConfig, context: Context) -> Mask:
    """Prune the weights with the smallest |g ⊙ θ|, ranked over all layers together.

    Raises:
        DivergedError: a score is not finite.
        MaskError: a layer would lose all its weights, or the model has no prunable weights.
    """
    from expunge.sparsity.ranking import keep_highest

    scores = connection_sensitivity(model, samples, config, context)
    return keep_highest(scores, config.sparsity, within=context.mask)


def connection_sensitivity(
    model: nn.Module, samples: Samples, config: SaliencyConfig, context: Context
) -> dict[str, Tensor]:
    """|g ⊙ θ| of every prunable weight, with g the gradient of the draw's mean loss.

    This is the derivative of the loss by a factor on the weight, at 1 (Lee et al. 2019,
    equation 5). The division by the sum is left out, because it does not change the ranking.

    Raises:
        MaskError: there is nothing to prune.
    """
    import torch

    from expunge.modes import names_kept_in_evaluation
    from expunge.sparsity.working_copy import working_copy

    network, weights = working_copy(model, config.layers, context.mask, context.device)
    kept = names_kept_in_evaluation(model)
    gradients = [torch.zeros_like(weight) for weight in weights.values()]
    for loss in mean_loss(network, samples, config, context, kept=kept):
        terms = torch.autograd.grad(
            loss, list(weights.values()), allow_unused=True, materialize_grads=True
        )
        torch._foreach_add_(gradients, terms)
    home = next(model.parameters()).device
    return {
        name: (gradient * weight.detach()).abs().to(home)
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }


PRUNER = Pruner(
    name="snip",
    tasks=frozenset({"classify", "generate"}),
    run=snip,
    config=SaliencyConfig,
    example={"samples_per_class": 3},
    summary="keep the weights that the loss depends on most, in a new network",
    cite=(
        "Lee, Ajanthan and Torr 2019, SNIP: Single-shot Network Pruning based on Connection "
        "Sensitivity (ICLR)"
    ),
    when="initial",
    needs_samples=True,
)
