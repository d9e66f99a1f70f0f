"""SalUn: random label, restricted to the weights that the loss on the forget set depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, DivergedError
from expunge.methods.labels import OtherLabelsConfig, fit_other_labels, random_labels
from expunge.methods.method import Method, Range
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Mask, Split


@dataclass(frozen=True, kw_only=True)
class SalUnConfig(OtherLabelsConfig):
    """Settings of SalUn. Defaults are the paper's for classification."""

    lr: float = 0.013
    """Learning rate."""
    share: float = 0.5
    """Share of the weights that change, those of largest gradient; 0.5 is the median."""

    def __post_init__(self) -> None:
        check_range("share", self.share, 0, 1)
        if self.share == 0:
            raise ConfigError("share must be more than 0, got 0: no weight would change")
        super().__post_init__()


def salun(model: nn.Module, split: Split, config: SalUnConfig, context: Context) -> nn.Module:
    """A copy of `model` after random label on the weights with large |∇ℓ(forget)|; others stay.

    SalUn of Fan et al. 2024, equations 4, 6 and 7. Weight decay and momentum do not move the other
    weights either. Weights that `context.mask` prunes are not ranked.

    Raises:
        DivergedError: a gradient or the loss is not finite.
    """
    salient = salient_weights(model, split, config, context)
    labels = random_labels(split, context)
    return fit_other_labels(model, split, labels, config, context, label="salun", only=salient)


def salient_weights(
    model: nn.Module, split: Split, config: SalUnConfig, context: Context
) -> dict[str, Tensor]:
    """The `share` of all weights with the largest |∇ mean ℓ| on the forget set, as a mask.

    At `share` 0.5, those whose gradient is at least the median. The gradient is taken in evaluation
    mode. The mask is on the CPU.

    Raises:
        DivergedError: a gradient is not finite.
    """
    import torch

    gradients = _gradients(model, split, config, context)
    kept: Mask = context.mask or {}
    ranked = {
        name: gradient[kept[name].cpu()] if name in kept else gradient.flatten()
        for name, gradient in gradients.items()
    }
    every = torch.cat(list(ranked.values()))
    if not bool(every.isfinite().all()):
        raise DivergedError("salun: a gradient of the loss on the forget set is not finite")
    count = max(1, round(config.share * len(every)))
    least = every.sort(descending=True).values[count - 1]
    return {name: gradient >= least for name, gradient in gradients.items()}


def _gradients(
    model: nn.Module, split: Split, config: SalUnConfig, context: Context
) -> dict[str, Tensor]:
    """|∇ mean ℓ(forget)| of every trainable parameter, on the CPU."""
    import torch

    from expunge.training.inputs import input_batches
    from expunge.training.placement import at_work
    from expunge.training.reproducibility import full_float32

    names = [name for name, each in model.named_parameters() if each.requires_grad]
    with at_work(model, context.device, training=False), full_float32():
        weights = [model.get_parameter(name) for name in names]
        totals = [torch.zeros_like(weight) for weight in weights]
        go = input_batches(
            model, split.train, split.forget, config.batch_size, context, "salun: saliency"
        )
        for inputs, targets in go():
            loss = context.task.loss(model(inputs), targets).sum() / len(split.forget)
            found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
            torch._foreach_add_(totals, found)
        return {
            name: total.abs().contiguous().cpu() for name, total in zip(names, totals, strict=True)
        }


METHOD = Method(
    name="salun",
    run=salun,
    config=SalUnConfig,
    reads=frozenset({"forget", "retain"}),
    tasks=frozenset({"classify", "generate"}),
    search={"lr": Range(1e-4, 1e-1, log=True), "share": Range(0.1, 1.0)},
    example={"epochs": 2, "lr": 0.02, "batch_size": 16},
    milder="lower lr, epochs or share, or raise alpha",
    summary="random label on the half of the weights with the largest gradient on the forget set",
    cite="Fan et al., SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency in "
    "Both Image Classification and Generation, ICLR 2024",
)
