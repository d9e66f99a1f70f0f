"""Model influence: which weights carry what a model knows of a group of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from expunge.errors import ConfigError
from expunge.settings import check_range
from expunge.sparsity.pruner import Layer, PruneConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from expunge.types import Context, Mask, Samples

RULES = ("product", "gradient")
"""By what weights are ranked: |θ · ∂L/∂θ|, the first-order effect of setting one to zero (Molchanov
et al. 2017), and |∂L/∂θ|, by which SalUn chooses (Fan et al. 2024). L is the group's mean loss."""


@dataclass(frozen=True, kw_only=True)
class WeightsConfig:
    """Settings of model influence."""

    shares: tuple[float, ...] = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    """Shares of the prunable weights that are reset."""
    reset: Literal["zero", "initialisation"] = "zero"
    """What they are set to: zero, or their values at the original model's initialisation."""
    draws: int = 5
    """Random choices of as many weights, to compare with."""
    sparsities: tuple[float, ...] = (0.5, 0.75, 0.9, 0.95, 0.99)
    """Sparsities of OMP whose remaining weights are compared with the chosen ones."""
    layers: tuple[Layer, ...] = ("auto",)
    """Kinds of layers, as for pruners."""
    batch_size: int = 500
    """Samples per batch."""

    def __post_init__(self) -> None:
        for name in ("shares", "sparsities"):
            values = getattr(self, name)
            if not values:
                raise ConfigError(f"{name} is empty: expected at least one")
            for value in values:
                check_range(f"each of {name}", value, 0, 1)
                if not 0 < value < 1:
                    raise ConfigError(f"each of {name} must be between 0 and 1, got {value!r}")
        check_range("draws", self.draws, 1, None)
        check_range("batch_size", self.batch_size, 1, None)
        PruneConfig(layers=self.layers)


def saliencies(
    model: nn.Module, samples: Samples, config: WeightsConfig, context: Context
) -> dict[str, dict[str, Tensor]]:
    """For each of `RULES`, the score of every prunable weight, by parameter name, for `samples`.

    The gradient is of the mean loss, in evaluation mode. Pruned weights score below zero, so that
    they come last.

    Raises:
        MaskError: the model has no prunable weights.
    """
    import torch

    from expunge.sparsity.mask import prunable
    from expunge.training.inputs import input_batches

    weights = prunable(model, config.layers)
    everything = torch.arange(len(samples))
    batches = input_batches(
        model, samples, everything, config.batch_size, context, "saliency of weights"
    )
    total = {name: torch.zeros_like(p) for name, p in weights.items()}
    for batch, labels in batches():
        with torch.enable_grad():
            loss = context.task.loss(model(batch), labels).sum() / len(samples)
        gradients = torch.autograd.grad(
            loss, list(weights.values()), allow_unused=True, materialize_grads=True
        )
        for name, gradient in zip(weights, gradients, strict=True):
            total[name] += gradient
    found = {
        "product": {name: (p.detach() * total[name]).abs() for name, p in weights.items()},
        "gradient": {name: each.abs() for name, each in total.items()},
    }
    for scores in found.values():
        for name, kept in (context.mask or {}).items():
            if name in scores:
                scores[name] = torch.where(kept.to(scores[name].device), scores[name], -1.0)
    return found


def random_scores(
    weights: Mapping[str, Tensor], mask: Mask | None, generator: torch.Generator
) -> dict[str, Tensor]:
    """Scores by chance, for as many weights; pruned weights come last."""
    import torch

    found = {}
    for name, weight in weights.items():
        scores = torch.rand(weight.shape, generator=generator).to(weight.device)
        kept = None if mask is None else mask.get(name)
        found[name] = scores if kept is None else torch.where(kept.to(weight.device), scores, -1.0)
    return found


def highest(scores: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Flags of the `count` highest scores over all parameters; ties go to the first."""
    import torch

    flat = torch.cat([each.flatten() for each in scores.values()])
    order = torch.sort(flat, descending=True, stable=True).indices[:count]
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen[order] = True
    parts = torch.split(chosen, [each.numel() for each in scores.values()])
    return {
        name: part.reshape(each.shape)
        for (name, each), part in zip(scores.items(), parts, strict=True)
    }


def count_of(scores: Mapping[str, Tensor], share: float) -> int:
    """How many weights a share is: of those that are not pruned, at least one."""
    there = sum(int((each >= 0).sum()) for each in scores.values())
    return max(1, round(share * there))


def kept_share(chosen: Mapping[str, Tensor], kept: Mask) -> float:
    """The share of the chosen weights that a mask keeps."""
    total = sum(int(each.sum()) for each in chosen.values())
    both = sum(int((each & kept[name].to(each.device)).sum()) for name, each in chosen.items())
    return both / total
