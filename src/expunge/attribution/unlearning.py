"""Attribution by unlearning: unlearn the target, and see which training samples lose with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from expunge.attribution.attributor import Attributed, Attributor
from expunge.errors import ConfigError
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.curvature.coordinates import Coordinates
    from expunge.types import Context, Samples


@dataclass(frozen=True, kw_only=True)
class UnlearningConfig:
    """Settings of attribution by unlearning."""

    steps: int = 5
    """Gradient steps up the loss of the target."""
    distance: float = 0.01
    """The length of all steps together, as a share of the length of the weights. Steps of a stated
    length unlearn targets of small and of large loss alike."""
    precondition: Literal["none", "fisher"] = "fisher"
    """`fisher` divides the gradient by the diagonal of the Fisher of the training samples, so that
    weights which many samples rest on move less."""
    relative_damping: float = 0.1
    """Added to the diagonal, as a share of its mean."""
    batch_size: int = 500
    """Training samples per batch."""

    def __post_init__(self) -> None:
        check_range("steps", self.steps, 1, None)
        check_range("distance", self.distance, 0, None)
        check_range("relative_damping", self.relative_damping, 0, None)
        check_range("batch_size", self.batch_size, 1, None)
        for name in ("distance", "relative_damping"):
            if getattr(self, name) == 0:
                raise ConfigError(f"{name} must be more than 0, got 0")


def unlearning(
    model: nn.Module, train: Samples, targets: Samples, config: UnlearningConfig, context: Context
) -> Attributed:
    """ℓ_i(θ_t) − ℓ_i(θ) of every training sample; θ_t are the weights that have unlearned target t.

    θ_t = θ + Σ_k r d_k / ‖d_k‖ with d_k = D⁻¹ ∇ℓ_t, where D is the damped diagonal of the Fisher or
    the identity, and r = distance · ‖θ‖ / steps. Everything is in evaluation mode; pruned and
    frozen weights stay. Source: Wang et al. 2024, who unlearn a generated image.

    Raises:
        ModelError: no weight can change, or the network mixes the samples of a batch.
    """
    import torch

    from expunge.attribution.placed import at_rest
    from expunge.curvature.coordinates import Coordinates
    from expunge.training.inputs import input_batches

    with at_rest(model, context.device) as network:
        coordinates = Coordinates(network, context.mask)
        size = min(config.batch_size, len(train))
        batches = input_batches(
            network, train, torch.arange(len(train)), size, context, "losses of training samples"
        )
        scale = _scale(network, train, coordinates, config, context)
        start = coordinates.flatten(coordinates.parameters)
        length = config.distance * float(start.norm()) / config.steps

        def losses() -> Tensor:
            with torch.no_grad():
                found = [context.task.loss(network(batch), labels) for batch, labels in batches()]
            return torch.cat(found).double().cpu()

        before = losses()
        rows = []
        alone = input_batches(
            network, targets, torch.arange(len(targets)), 1, context, "unlearn targets"
        )
        for batch, labels in alone():
            for _ in range(config.steps):
                with torch.enable_grad():
                    loss = context.task.loss(network(batch), labels).sum()
                found = torch.autograd.grad(
                    loss,
                    list(coordinates.parameters.values()),
                    allow_unused=True,
                    materialize_grads=True,
                )
                by_name = dict(zip(coordinates.parameters, found, strict=True))
                step = coordinates.flatten(by_name) / scale
                _move(coordinates, step * (length / step.norm().clamp(min=1e-30)))
            rows.append(losses() - before)
            _set(coordinates, start)
    return Attributed(torch.stack(rows))


def _scale(
    model: nn.Module,
    train: Samples,
    coordinates: Coordinates,
    config: UnlearningConfig,
    context: Context,
) -> Tensor:
    """What a gradient is divided by, `(P,)`."""
    import torch

    from expunge.curvature.fisher import exact_fisher
    from expunge.curvature.separate import FEW, check_separate
    from expunge.training.inputs import input_batches

    index = torch.arange(len(train))
    size = min(config.batch_size, 125)
    batches = input_batches(model, train, index, size, context, "Fisher of training samples")
    if config.precondition == "none":
        few, _ = next(input_batches(model, train, index[:FEW], FEW, context, "check")())
        check_separate(model, few)
        return torch.ones((), device=context.device)
    fisher = coordinates.flatten(exact_fisher(model, coordinates, batches, context.task))
    # Pruned weights have none, and are not counted.
    mean = float(fisher.sum()) / max(1, int((fisher > 0).sum()))
    return fisher + (config.relative_damping * mean or 1.0)


def _move(coordinates: Coordinates, step: Tensor) -> None:
    import torch

    with torch.no_grad():
        for name, part in coordinates.unflatten(step).items():
            coordinates.parameters[name].add_(part)


def _set(coordinates: Coordinates, vector: Tensor) -> None:
    import torch

    with torch.no_grad():
        for name, part in coordinates.unflatten(vector).items():
            coordinates.parameters[name].copy_(part)


ATTRIBUTOR = Attributor(
    name="unlearning",
    run=unlearning,
    config=UnlearningConfig,
    example={"steps": 2, "batch_size": 7},
    summary="unlearn the target, and see which training samples lose with it",
    cite="Wang et al., Data Attribution for Text-to-Image Models by Unlearning Synthesized Images, "
    "NeurIPS 2024",
)
