"""The attack's classifier: a support vector machine on one feature, C = 3, RBF kernel.

libsvm needs time quadratic in the number of points, 20,000 of them for CIFAR. In one dimension it
needs far fewer. Equal values of one class are one point with their count as weight, which loses
nothing. Beyond that, values are pooled into narrow cells, and each cell is handed over as two
points that keep its count, mean and variance. The RBF kernel is smooth and gamma = 1, so this is
exact to third order in the cell's width wherever the cell lies wholly inside or wholly outside the
margin; cells that the margin cuts are divided until the decision function is constant over each, to
libsvm's own tolerance. For the same reason a polynomial is the decision function on an interval of
length one, to rounding, and judges many values at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev

from expunge.metrics.arrays import FloatArray

Decision: TypeAlias = Callable[[FloatArray], FloatArray]
"""From feature values, in any shape, to scores in that shape: a sample is a member from 0 on."""

_EXACT_POINTS = 1000
_CELLS_BY_RANGE = 100
_WIDEST_CELL = 0.1
_CELLS_BY_COUNT = 50
_DIVISIONS = 8
_TOLERANCE = 1e-3
_DEGREE = 32
_AT_ONCE = 1000
_ROUNDING = 1e-9


def fit_svc(members: FloatArray, non_members: FloatArray) -> Decision:
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
            return lambda values: decide(values) + _ROUNDING
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

    def cut_by_margin(self, decide: Decision, side: float) -> npt.NDArray[np.int64]:
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
    """Cells that are narrow beside the kernel, and hold one part in `_CELLS_BY_COUNT` at most.

    The extremes stand alone: where every point is inside the margin, they decide the offset.
    """
    distinct, counts = np.unique(values, return_counts=True)
    width = min(max(1.0, float(distinct[-1] - distinct[0])) / _CELLS_BY_RANGE, _WIDEST_CELL)
    place = np.floor(distinct / width)
    rank = (np.cumsum(counts) - counts) * _CELLS_BY_COUNT // len(values)
    first = np.full(len(distinct), True)
    first[1:] = (np.diff(place) != 0) | (np.diff(rank) != 0)
    first[1:2] = True
    first[-1] = True
    return _Pool(distinct, counts.astype(np.int64), np.flatnonzero(first))


def _fit(classes: list[_Pool]) -> Decision:
    """The decision function: above zero is a member."""
    from sklearn.svm import SVC

    (member_values, member_weights), (other_values, other_weights) = (
        pool.points() for pool in classes
    )
    values = np.concatenate((member_values, other_values))
    labels = np.concatenate((np.ones(len(member_values)), np.zeros(len(other_values))))
    weights = np.concatenate((member_weights, other_weights))
    # Without a seed it would draw one from the global random state; nothing here is random.
    machine = SVC(C=3, kernel="precomputed", tol=_TOLERANCE, random_state=0)
    machine.fit(_kernel(values, values), labels, sample_weight=weights)
    support, factors = values[machine.support_], machine.dual_coef_[0]
    offset = float(machine.intercept_[0])

    def decide(x: FloatArray) -> FloatArray:
        # In parts, so that the kernel stays small.
        parts = np.array_split(x, 1 + len(x) // _AT_ONCE)
        return np.concatenate([_kernel(part, support) @ factors for part in parts]) + offset

    return _interpolated(decide)


def _kernel(one: FloatArray, other: FloatArray) -> FloatArray:
    """The RBF kernel with gamma = 1, `(N, M)`; libsvm would take its exponentials one by one.

    In place, because new memory costs more than the exponentials.
    """
    kernel: FloatArray = np.subtract.outer(one, other)
    # The square of a distance beyond 1e154 is infinite, and its kernel 0.
    with np.errstate(over="ignore"):
        np.square(kernel, out=kernel)
    np.negative(kernel, out=kernel)
    np.exp(kernel, out=kernel)
    return kernel


def _interpolated(exact: Decision) -> Decision:
    """The same smooth function, by a polynomial between whole numbers with many values between."""

    @cache
    def piece(start: float) -> Chebyshev:
        return Chebyshev.interpolate(exact, _DEGREE, domain=[start, start + 1])

    def decide(values: FloatArray) -> FloatArray:
        distinct, place = np.unique(values, return_inverse=True)
        starts, first, counts = np.unique(
            np.ceil(distinct) - 1, return_index=True, return_counts=True
        )
        few = np.repeat(counts <= _DEGREE, counts)
        found = np.empty_like(distinct)
        if few.any():
            found[few] = exact(distinct[few])
        for start, begin, count in zip(starts, first, counts, strict=True):
            if count > _DEGREE:
                inside = slice(begin, begin + count)
                found[inside] = piece(start)(distinct[inside])
        return found[place].reshape(values.shape)

    return decide
