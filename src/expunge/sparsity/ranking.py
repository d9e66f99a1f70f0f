"""Turn a score for every weight into a mask of an exact sparsity."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from expunge.errors import DivergedError, MaskError, some
from expunge.sparsity.mask import check_not_collapsed
from expunge.types import Mask


@torch.no_grad()
def keep_highest(scores: Mapping[str, Tensor], sparsity: float, within: Mask | None = None) -> Mask:
    """Prune the `round(sparsity * n)` lowest of all n scores, over all layers together.

    Weights that the mask `within` prunes come first, whatever their scores. Ties are pruned in
    order (of the mapping, then row by row), so that the count is exact and the mask does not depend
    on the device.

    Raises:
        DivergedError: a score is not finite.
        MaskError: a layer would lose all its weights, or `within` covers other layers or is sparser
            than `sparsity`.
    """
    if broken := [name for name, score in scores.items() if not bool(score.isfinite().all())]:
        raise DivergedError(f"expected finite scores, got others in {some(broken)}")
    ranked = torch.cat([score.detach().flatten() for score in scores.values()])
    prune = round(sparsity * len(ranked))
    if within is not None:
        gone = ~_flat(within, scores).to(ranked.device)
        if (already := int(gone.sum())) > prune:
            raise MaskError(
                f"the network is already pruned to {already / len(ranked):.4f}: expected a "
                f"sparsity above that, got {sparsity}"
            )
        ranked = ranked.masked_fill(gone, -torch.inf)
    kept = torch.ones_like(ranked, dtype=torch.bool)
    if prune > 0:
        threshold = ranked.kthvalue(prune).values
        kept = ranked > threshold
        tied = (ranked == threshold).nonzero().flatten()
        kept[tied[prune - int((ranked < threshold).sum()) :]] = True
    entries = torch.split(kept, [score.numel() for score in scores.values()])
    mask = {
        name: entry.reshape(score.shape).clone()
        for (name, score), entry in zip(scores.items(), entries, strict=True)
    }
    check_not_collapsed(mask)
    return mask


def _flat(mask: Mask, scores: Mapping[str, Tensor]) -> Tensor:
    """The entries of `mask` in the order of the scores."""
    if mask.keys() != scores.keys():
        raise MaskError(
            f"the network is already pruned in other layers: expected {some(mask)}, got "
            f"{some(scores)}; choose the same layers"
        )
    return torch.cat([mask[name].flatten() for name in scores])
