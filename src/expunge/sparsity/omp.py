"""One-shot magnitude pruning."""

from __future__ import annotations

from torch import nn

from expunge.sparsity.mask import prunable
from expunge.sparsity.pruner import PruneConfig, Pruner
from expunge.sparsity.ranking import keep_highest
from expunge.types import Context, Mask, Samples


def one_shot_magnitude(
    model: nn.Module, samples: Samples | None, config: PruneConfig, context: Context
) -> Mask:
    """Prune the weights of smallest magnitude, over all layers together.

    Weights that are zero already go first, so pruning, training and pruning again to a higher
    sparsity is iterative magnitude pruning.

    Raises:
        DivergedError: a weight is not finite.
        MaskError: a layer would lose all its weights, or there is nothing to prune.
    """
    weights = prunable(model, config.layers)
    return keep_highest(
        {name: weight.detach().abs() for name, weight in weights.items()}, config.sparsity
    )


PRUNER = Pruner(
    name="omp",
    run=one_shot_magnitude,
    config=PruneConfig,
    cite=(
        "Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks "
        "(NeurIPS); global and one-shot as in Jia et al. 2023, Model Sparsity Can Simplify Machine "
        "Unlearning (NeurIPS)"
    ),
)
