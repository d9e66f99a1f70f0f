"""SynFlow: keep the weights that carry the most flow from input to output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ModelError
from expunge.settings import check_range
from expunge.sparsity.pruner import PruneConfig, Pruner

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Mask, Samples


@dataclass(frozen=True, kw_only=True)
class SynFlowConfig(PruneConfig):
    """Settings of SynFlow."""

    rounds: int = 100
    """Rounds of scoring and pruning; each removes the same fraction of the remaining weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("rounds", self.rounds, 1, None)


def synflow(model: nn.Module, samples: Samples, config: SynFlowConfig, context: Context) -> Mask:
    """Prune by |θ ⊙ ∂R/∂θ|, computed again in every round (Tanaka et al. 2020, algorithm 1).

    Uses only the shape of the samples.

    Raises:
        DivergedError: a score is not finite.
        MaskError: a layer would lose all its weights, or the model has no prunable weights.
        ModelError: nothing flows through the network, or it takes tokens.
    """
    import torch

    from expunge.sparsity.mask import apply_mask, mask_sparsity
    from expunge.sparsity.ranking import keep_highest
    from expunge.sparsity.working_copy import working_copy

    if samples.inputs.kind == "tokens":
        raise ModelError(
            "synflow sends ones through the network, and a token id of one is only a token: "
            "use another pruner, such as omp or snip"
        )
    # R is a product over layers: float32 overflows at fifty layers. MPS has no float64, so use the
    # CPU instead.
    device = torch.device("cpu") if context.device.type == "mps" else context.device
    network, weights = working_copy(model, config.layers, context.mask, device)
    make_positive(network)
    if samples.inputs.kind == "vectors":
        leave_as_it_comes(network)
    mask = context.mask or {
        name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()
    }
    before = 1 - mask_sparsity(mask)
    after = 1 - config.sparsity
    for done in range(1, config.rounds + 1):
        kept = before * (after / before) ** (done / config.rounds)
        sparsity = config.sparsity if done == config.rounds else 1 - kept
        scores = flow_scores(network, weights, samples.inputs.shape)
        mask = keep_highest(scores, sparsity, within=mask)
        apply_mask(network, mask)
        context.progress("synflow", done, config.rounds, 0)
    home = next(model.parameters()).device
    return {name: kept.to(home) for name, kept in mask.items()}


def make_positive(network: nn.Module) -> None:
    """Replace every parameter by its absolute value, in float64, in place.

    Batch norms get the statistics of a new network, mean 0 and variance 1, so that in evaluation
    mode they only scale and shift. With the statistics of an image they would divide the flow by
    itself, and nothing would be left to measure.
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    network.double()
    for parameter in network.parameters():
        parameter.data.abs_()
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()


def leave_as_it_comes(network: nn.Module) -> None:
    """Turn off every normalisation by the training data, in place.

    The mean of a feature can be large: ones would become negative, and nothing would flow. Pixels
    are in [0, 1], so images keep their normalisation.
    """
    from expunge.models.normalise import Normalise

    for module in network.modules():
        if isinstance(module, Normalise):
            module.mean.zero_()
            module.std.fill_(1)


def flow_scores(
    network: nn.Module, weights: Mapping[str, nn.Parameter], shape: tuple[int, ...]
) -> dict[str, Tensor]:
    """|θ ⊙ ∂R/∂θ| of the `weights` of a positive network, in their shape and dtype.

    R is the sum of the outputs for one input of `shape` filled with ones.

    Raises:
        ModelError: nothing flows through the network.
    """
    import torch

    some_weight = next(iter(weights.values()))
    flow = network(some_weight.new_ones((1, *shape))).sum()
    if not bool(flow > 0):
        raise ModelError(
            f"synflow: the flow through the network is {flow.item()}: expected more than zero; "
            "use another pruner for a network whose outputs do not grow with its weights"
        )
    gradients = torch.autograd.grad(
        flow, list(weights.values()), allow_unused=True, materialize_grads=True
    )
    return {
        name: (weight.detach() * gradient).abs()
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }


PRUNER = Pruner(
    name="synflow",
    run=synflow,
    config=SynFlowConfig,
    example={"rounds": 3},
    summary="keep the weights that carry the most flow, in a new network; no data",
    cite=(
        "Tanaka et al. 2020, Pruning Neural Networks without any Data by Iteratively Conserving "
        "Synaptic Flow (NeurIPS)"
    ),
    when="initial",
)
