"""How far two masks of one network keep the same weights."""

from __future__ import annotations

from dataclasses import dataclass

from expunge.errors import MaskError
from expunge.types import Mask


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What two masks share, as fractions."""

    jaccard: float
    """Weights that both keep, of those that either keeps."""
    kept: float
    """Weights that both keep, of those that the first keeps."""
    chance: float
    """`kept` of a second mask drawn by lot over the whole network: what it keeps, of all."""
    chance_by_layer: float
    """`kept` of a second mask drawn by lot within each layer: masks of one pruner agree on how much
    they keep of each."""


def mask_overlap(first: Mask, second: Mask) -> Overlap:
    """The overlap of two masks.

    Raises:
        MaskError: they are not of the same weights, or the first keeps none.
    """
    shapes = [{name: tuple(kept.shape) for name, kept in each.items()} for each in (first, second)]
    if shapes[0] != shapes[1]:
        raise MaskError(
            f"masks overlap where they are of the same weights: got {shapes[0]} and {shapes[1]}"
        )
    both = either = total = one = other = 0
    by_lot = 0.0
    for name, kept in first.items():
        again = second[name].to(kept.device)
        size, ours, theirs = kept.numel(), int(kept.sum()), int(again.sum())
        both += int((kept & again).sum())
        either += int((kept | again).sum())
        by_lot += ours * theirs / size
        total, one, other = total + size, one + ours, other + theirs
    if not one:
        raise MaskError("the first mask keeps no weight: there is nothing to share")
    return Overlap(
        jaccard=both / either,
        kept=both / one,
        chance=other / total,
        chance_by_layer=by_lot / one,
    )
