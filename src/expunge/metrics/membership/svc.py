"""The attack's classifier: a support vector machine on one feature, C = 3, RBF kernel.

libsvm needs time quadratic in the number of points, 20,000 of them for CIFAR. In one dimension it
needs far fewer. Equal values of one class are one point with their count as weight, which loses
nothing. Beyond that, values are pooled into narrow cells, and each cell is handed over as two
points that keep its count, mean and variance. The RBF kernel is smooth and gamma = 1, so this is
exact to third order in the cell's width wherever the cell lies wholly inside or wholly outside the
margin; cells that the margin cuts are divided until the decision function is constant over each, to
libsvm's own tolerance. For the same reason a polynomial is the decision function on 0-1, to
rounding, and judges many values at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev

from expunge.metrics.arrays import FloatArray

Judge: TypeAlias = Callable[[FloatArray], npt.NDArray[np.bool_]]
"""From feature values `(N,)` to flags: True is a member."""

_EXACT_POINTS = 1000
_CELL_WIDTH = 0.01
_CELLS_BY_COUNT = 50
_DIVISIONS = 8
_TOLERANCE = 1e-3
_DEGREE = 32
_ROUNDING = 1e-9


def fit_svc(members: FloatArray, non_members: FloatArray) -> Judge:
    """Fit `SVC(C=3, kernel="rbf", gamma="auto")` to the values of members and of non-members."""
    classes = [_pool(members), _pool(non_members)]
    if sum(len(pool.values) for pool in classes) <= _EXACT_POINTS:
        classes = [replace(pool, starts=np.arange(len(pool.values))) for pool in classes]
    while True:
        decide = _fit(classes)
        cut = [
            pool.cut_by_margin(decide, side)
            for pool, side in zip(classes, (1.0, -1.0), strict=True)
        ]
        if not any(len(cells) for cells in cut):
            # A tie is a member, as libsvm has it.
            return lambda values: decide(values) > -_ROUNDING
        classes = [pool.divided(cells) for pool, cells in zip(classes, cut, strict=True)]


@dataclass(frozen=True, eq=False)
class _Pool:
    """One class's distinct values, ascending, in cells."""

    values: FloatArray
    counts: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    """Where each cell begins among the values."""

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Distinct values in each cell."""
        return np.diff(self.starts, append=len(self.values))

    def points(self) -> tuple[FloatArray, FloatArray]:
        """Values and weights that stand for the cells: one point for a single value, else two.

        Weights are whole numbers: where all points lie inside the margin the optimum has them all
        at the bound, and the slightest imbalance between the classes would move the offset.
        """
        single = self.sizes == 1
        count = np.add.reduceat(self.counts, self.starts)
        mean = np.add.reduceat(self.counts * self.values, self.starts) / count
        deviation = self.values - np.repeat(mean, self.sizes)
        spread = np.sqrt(np.add.reduceat(self.counts * deviation**2, self.starts) / count)[~single]
        low = count[~single] // 2
        high = count[~single] - low
        at = self.values[self.starts[single]], mean[~single]
        points = (at[0], at[1] - spread * np.sqrt(high / low), at[1] + spread * np.sqrt(low / high))
        weights = np.concatenate((count[single], low, high)).astype(np.float64)
        return np.concatenate(points), weights

    def cut_by_margin(self, decide: Chebyshev, side: float) -> npt.NDArray[np.int64]:
        """The cells of several values over which the margin of this class is crossed."""
        wide = np.flatnonzero(self.sizes > 1)
        if len(wide) == 0:
            return wide
        first = self.starts[wide]
        ends = self.values[np.stack((first, first + self.sizes[wide] - 1))]
        excess = side * decide(ends) - 1
        low, high = excess.min(axis=0), excess.max(axis=0)
        crossed = (low <= _TOLERANCE) & (high >= -_TOLERANCE) & (high - low > _TOLERANCE)
        cells: npt.NDArray[np.int64] = wide[crossed]
        return cells

    def divided(self, cells: npt.NDArray[np.int64]) -> "_Pool":
        """The same values, each of `cells` divided further."""
        start, size = self.starts[cells], self.sizes[cells]
        inner = [start + size * part // _DIVISIONS for part in range(1, _DIVISIONS)]
        return replace(self, starts=np.unique(np.concatenate((self.starts, *inner))))


def _pool(values: FloatArray) -> _Pool:
    """Cells of at most `_CELL_WIDTH`, and of at most one part in `_CELLS_BY_COUNT` of the samples.

    The extremes stand alone: where every point is inside the margin, they decide the offset.
    """
    distinct, counts = np.unique(values, return_counts=True)
    place = np.floor(distinct / _CELL_WIDTH)
    rank = (np.cumsum(counts) - counts) * _CELLS_BY_COUNT // len(values)
    first = np.full(len(distinct), True)
    first[1:] = (np.diff(place) != 0) | (np.diff(rank) != 0)
    first[1:2] = True
    first[-1] = True
    return _Pool(distinct, counts.astype(np.int64), np.flatnonzero(first))


def _fit(classes: list[_Pool]) -> Chebyshev:
    """The decision function on 0-1: above zero is a member."""
    from sklearn.svm import SVC

    (member_values, member_weights), (other_values, other_weights) = (
        pool.points() for pool in classes
    )
    values = np.concatenate((member_values, other_values))
    labels = np.concatenate((np.ones(len(member_values)), np.zeros(len(other_values))))
    weights = np.concatenate((member_weights, other_weights))
    machine = SVC(C=3, kernel="rbf", gamma="auto", tol=_TOLERANCE)
    machine.fit(values.reshape(-1, 1), labels, sample_weight=weights)
    return Chebyshev.interpolate(
        lambda x: machine.decision_function(x.reshape(-1, 1)), _DEGREE, domain=[0, 1]
    )
