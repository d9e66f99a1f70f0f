"""Feldman and Zhang's memorisation estimate: how much a sample's presence decides its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.floating]
    Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Memorisation:
    """Estimates for N training samples."""

    estimate: Floats
    """float64 `(N,)`: P[right | trained on it] − P[right | not]; NaN where one of them has no
    model."""
    margin: Floats
    """float64 `(N,)`: the same difference of the mean margin, which breaks ties."""
    with_it: npt.NDArray[np.int64]
    """`(N,)`: how many models were trained on the sample."""
    without_it: npt.NDArray[np.int64]

    def order(self) -> npt.NDArray[np.int64]:
        """The samples with an estimate, most memorised first."""
        import numpy as np

        known = np.flatnonzero(~np.isnan(self.estimate))
        # Rounding must not decide between estimates of other counts that are equal.
        keys = self.margin[known], self.estimate[known].round(12)
        return known[np.lexsort(keys)[::-1]].astype(np.int64)


def memorisation(kept: Flags, right: Flags, margins: Floats) -> Memorisation:
    """P[right | in] − P[right | out] for every sample, over subset models.

    Source: Feldman and Zhang, What Neural Networks Memorize and Why, NeurIPS 2020, equation 1 and
    section 2 (the subsampled estimator).

    Args:
        kept: `(K, N)`: the training samples of each model.
        right: `(K, N)`: which samples each model gets right.
        margins: `(K, N)`: by how much.

    Raises:
        DataError: the shapes differ.
    """
    import numpy as np

    if not kept.shape == right.shape == margins.shape:
        raise DataError(
            f"expected three arrays of one shape, got {kept.shape}, {right.shape} and "
            f"{margins.shape}"
        )
    inside, outside = kept.sum(0), (~kept).sum(0)

    def difference(values: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = (
                np.where(kept, values, 0).sum(0) / inside
                - np.where(kept, 0, values).sum(0) / outside
            )
        return found

    return Memorisation(
        estimate=difference(right.astype(np.float64)),
        margin=difference(margins.astype(np.float64)),
        with_it=inside.astype(np.int64),
        without_it=outside.astype(np.int64),
    )
