"""Which samples an edit touches, and the copies that it gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, DataError
from expunge.settings import check_range

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from expunge.types import Inputs, Samples


def check_share(share: float) -> None:
    """Refuse a share that is not between 0 and 1.

    Raises:
        ConfigError: it is 0 or less, or 1 or more.
    """
    check_range("share", share, 0, 1)
    if not 0 < share < 1:
        raise ConfigError(f"share must be between 0 and 1, both excluded, got {share!r}")


def draw(samples: Samples, share: float, generator: torch.Generator) -> Tensor:
    """Ascending int64 indices of `round(share * N)` of N samples, drawn without regard to class.

    Raises:
        DataError: that is not a single sample.
    """
    import torch

    return draw_from(torch.arange(len(samples)), share, generator)


def draw_from(candidates: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Ascending int64 values of `round(share * N)` of the N candidates, int64 `(N,)`.

    Raises:
        DataError: that is not a single one.
    """
    import torch

    count = round(share * len(candidates))
    if count == 0:
        raise DataError(f"a share of {share:g} of {len(candidates)} samples is none: raise it")
    chosen = torch.randperm(len(candidates), generator=generator)[:count]
    return candidates[chosen].sort().values


def ids_at(samples: Samples, index: Tensor) -> tuple[str, ...]:
    """The ids of the samples at `index`, int64 `(M,)`."""
    return tuple(samples.ids[row] for row in index.tolist())


def changed(
    samples: Samples, *, inputs: Inputs | None = None, labels: Tensor | None = None
) -> Samples:
    """The same samples with other inputs or labels, and the fingerprint of those."""
    from expunge.data.identity import fingerprint

    inputs = samples.inputs if inputs is None else inputs
    labels = samples.labels if labels is None else labels
    return replace(
        samples,
        inputs=inputs,
        labels=labels,
        fingerprint=fingerprint(inputs, labels, samples.ids, samples.class_names),
    )
