"""Random pruning: the baseline that every other pruner has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.sparsity.pruner import Pruner, TrainedPruneConfig

if TYPE_CHECKING:
    from torch import nn

    from expunge.types import Context, Mask, Samples


def random_pruning(
    model: nn.Module, samples: Samples, config: TrainedPruneConfig, context: Context
) -> Mask:
    """Prune random weights over all layers together, drawn with the context's seed.

    Raises:
        MaskError: a layer would lose all its weights, or the model has no prunable weights.
    """
    import torch

    from expunge.sparsity.mask import prunable
    from expunge.sparsity.ranking import keep_highest

    generator = context.generator("pruning")
    scores = {
        # Drawn on the CPU: the same seed gives the same mask on every device. In float64 there are
        # no ties, which would favour the last layers.
        name: torch.rand(weight.shape, generator=generator, dtype=torch.float64).to(weight.device)
        for name, weight in prunable(model, config.layers).items()
    }
    return keep_highest(scores, config.sparsity, within=context.mask)


PRUNER = Pruner(
    name="random",
    tasks=frozenset({"classify", "generate"}),
    run=random_pruning,
    config=TrainedPruneConfig,
    summary="remove random weights, as a baseline",
    cite="Blalock et al. 2020, What is the State of Neural Network Pruning? (MLSys)",
)
