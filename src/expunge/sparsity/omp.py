"""One-shot magnitude pruning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.sparsity.pruner import Pruner, TrainedPruneConfig

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Mask, Samples


def one_shot_magnitude(
    model: nn.Module, samples: Samples, config: TrainedPruneConfig, context: Context
) -> Mask:
    """Prune the weights with the smallest magnitude, ranked over all layers together.

    Raises:
        DivergedError: a weight is not finite.
        MaskError: a layer would lose all its weights, or the model has no prunable weights.
    """
    from expunge.sparsity.mask import prunable
    from expunge.sparsity.ranking import keep_highest

    weights = prunable(model, config.layers)
    magnitudes = {name: weight.detach().abs() for name, weight in weights.items()}
    return keep_highest(magnitudes, config.sparsity, within=context.mask)


PRUNER = Pruner(
    name="omp",
    tasks=frozenset({"classify", "generate"}),
    run=one_shot_magnitude,
    config=TrainedPruneConfig,
    summary="remove the smallest weights of the trained network, once",
    cite=(
        "Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks "
        "(NeurIPS); global and one-shot as in Jia et al. 2023, Model Sparsity Can Simplify Machine "
        "Unlearning (NeurIPS)"
    ),
)
