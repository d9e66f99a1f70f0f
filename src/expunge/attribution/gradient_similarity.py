"""Gradient similarity: how alike the gradients of a target and of a training sample are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from expunge.attribution.attributor import Attributed, Attributor
from expunge.settings import check_range

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.types import Context, Samples


@dataclass(frozen=True, kw_only=True)
class GradientSimilarityConfig:
    """Settings of gradient similarity."""

    measure: Literal["dot", "cosine"] = "dot"
    """`dot` is the change of the target's loss by a step on the sample; `cosine` leaves the lengths
    of both gradients out, so that samples of large loss do not stand above all others."""
    projection: int = 0
    """Dimensions of a random projection of the gradients; 0: none. It saves memory, not time."""
    batch_size: int = 250
    """Samples whose gradients are in memory at once, besides those of the targets."""

    def __post_init__(self) -> None:
        check_range("projection", self.projection, 0, None)
        check_range("batch_size", self.batch_size, 1, None)


def gradient_similarity(
    model: nn.Module,
    train: Samples,
    targets: Samples,
    config: GradientSimilarityConfig,
    context: Context,
) -> Attributed:
    """g_t · g_i, or its cosine: g is the gradient of a sample's loss at the trained weights.

    This is TracIn (Pruthi et al. 2020) at the last checkpoint; with `cosine` it is the measure of
    Charpiat et al. 2019. Both gradients are of all weights that are neither frozen nor pruned, in
    evaluation mode.

    Raises:
        ModelError: the network mixes the samples of a batch.
    """
    import torch

    from expunge.attribution.gradients import Gradients, trained
    from expunge.attribution.placed import at_rest

    with at_rest(model, context.device) as network:
        names = trained(network)
        projection = _projection(network, names, config.projection, context)
        gradients = Gradients(network, names, config.batch_size, context)

        def rows(samples: Samples, label: str) -> Iterator[Tensor]:
            for each in gradients.rows(samples, label):
                yield _flat(each, projection, config.measure)

        wanted = torch.cat(list(rows(targets, "gradients of the targets")))
        parts = [
            (wanted @ each.T).cpu() for each in rows(train, "gradients of the training samples")
        ]
    return Attributed(torch.cat(parts, 1))


def _projection(
    model: nn.Module, names: tuple[str, ...], dimensions: int, context: Context
) -> Mapping[str, Tensor]:
    """Random signs `(weights, dimensions)` for each parameter, so that products keep their mean."""
    import torch

    if not dimensions:
        return {}
    parameters = dict(model.named_parameters())
    found = {}
    for name in names:
        shape = parameters[name].numel(), dimensions
        signs = torch.randint(2, shape, generator=context.generator(f"projection: {name}"))
        found[name] = (2.0 * signs - 1).to(parameters[name]) / dimensions**0.5
    return found


def _flat(
    gradients: Mapping[str, Tensor], projection: Mapping[str, Tensor], measure: str
) -> Tensor:
    """Gradients as rows `(B, P)`, projected and of unit length where that is asked for."""
    import torch

    if projection:
        rows = torch.stack([each.flatten(1) @ projection[n] for n, each in gradients.items()])
        flat = rows.sum(0)
    else:
        flat = torch.cat([each.flatten(1) for each in gradients.values()], 1)
    # The gradient of a sample that is fitted exactly is zero, and like no other.
    return torch.nn.functional.normalize(flat, eps=1e-30) if measure == "cosine" else flat


ATTRIBUTOR = Attributor(
    name="gradient_similarity",
    run=gradient_similarity,
    config=GradientSimilarityConfig,
    example={"batch_size": 7},
    summary="how alike the gradients of a target and of a training sample are",
    cite="Pruthi et al., Estimating Training Data Influence by Tracing Gradient Descent, NeurIPS "
    "2020; Charpiat et al., Input Similarity from the Neural Network Perspective, NeurIPS 2019",
)
