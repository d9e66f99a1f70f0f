"""KLOM: how far the margins of many unlearned models are from those of many retrained ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import DataError
from expunge.metrics.metric import MARGINS, Measured, Metric, Value

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from expunge.metrics.arrays import FloatArray, LabelArray
    from expunge.metrics.evidence import Evidence

BINS = 20
"""Equal bins between the lowest and the highest margin that any model has on a sample."""
CLIP = 100.0
"""Margins are clipped to this on both sides first."""
LEAST_SHARE = 1e-5
"""The share that a bin without a retrained model counts as, where unlearned ones are in it."""
LEAST_MODELS = 50
"""Models on each side; fewer leave most bins empty."""
HALVINGS = 20
"""How often the models are divided in halves, for the floor and for the standard errors."""
_AT_ONCE = 4096

POPULATIONS = ("forget", "retain", "validation")
"""The samples that KLOM is given for."""


@dataclass(frozen=True, eq=False)
class Margins:
    """The margins of many models on the same samples, each `(models, samples)`, float.

    Raises:
        DataError: fewer than `LEAST_MODELS` models on a side, other samples on the sides, none, or
            a margin that is not a number.
    """

    unlearned: npt.NDArray[np.floating[Any]]
    retrained: npt.NDArray[np.floating[Any]]

    def __post_init__(self) -> None:
        import numpy as np

        sides = {"unlearned": self.unlearned, "retrained": self.retrained}
        shapes = [side.shape for side in sides.values()]
        if any(len(shape) != 2 or not shape[1] for shape in shapes) or (
            shapes[0][1] != shapes[1][1]
        ):
            raise DataError(
                f"expected margins (models, samples) of the same samples, got {shapes[0]} and "
                f"{shapes[1]}"
            )
        for name, side in sides.items():
            check_enough(name, len(side))
            # Infinite margins are clipped; what is not a number falls into no bin.
            if broken := int(np.isnan(side).any(axis=1).sum()):
                raise DataError(f"the margins of {broken} {name} models are not all numbers")


def check_enough(name: str, models: int) -> None:
    """Refuse fewer than `LEAST_MODELS` models; `name` says which.

    Raises:
        DataError: there are fewer.
    """
    if models < LEAST_MODELS:
        raise DataError(
            f"KLOM needs {LEAST_MODELS} or more {name} models, got {models}: with fewer, most "
            "bins of a sample's margins are empty by chance"
        )


def margins_of(logits: npt.NDArray[np.floating[Any]], labels: LabelArray) -> FloatArray:
    """The margin of each sample, z_y − log Σ_{j ≠ y} exp z_j, `(N,)` float64.

    Args:
        logits: `(N, classes)`, of two or more classes.
        labels: `(N,)`.

    Source: Park et al., TRAK, ICML 2023, as the data of Rinberg et al. 2025 hold them.
    """
    import numpy as np
    from scipy.special import logsumexp

    rows = np.arange(len(labels))
    others = logits.astype(np.float64)
    own = others[rows, labels]
    others[rows, labels] = -np.inf
    found: FloatArray = own - logsumexp(others, axis=1)
    return found


def divergence(
    unlearned: npt.NDArray[np.floating[Any]], retrained: npt.NDArray[np.floating[Any]]
) -> FloatArray:
    """KL(unlearned ‖ retrained) of each sample's margins over models, in nats, `(samples,)`.

    Both are `(models, samples)`. Margins are clipped and put into `BINS` equal bins over the range
    that both sides have together. A bin without a retrained model counts as `LEAST_SHARE`, so no
    sample has more than −log `LEAST_SHARE`, 11.5. The highest margin belongs to the last bin; in
    the published code it belongs to none.

    Source: Georgiev et al., Attribute-to-Delete, ICLR 2025, appendix E.1.
    """
    import numpy as np

    parts = [
        _of_some(unlearned[:, start : start + _AT_ONCE], retrained[:, start : start + _AT_ONCE])
        for start in range(0, unlearned.shape[1], _AT_ONCE)
    ]
    return np.concatenate(parts)


def _of_some(
    unlearned: npt.NDArray[np.floating[Any]], retrained: npt.NDArray[np.floating[Any]]
) -> FloatArray:
    import numpy as np

    sides = [np.clip(side.astype(np.float64), -CLIP, CLIP) for side in (unlearned, retrained)]
    lowest = np.minimum(*(side.min(axis=0) for side in sides))
    highest = np.maximum(*(side.max(axis=0) for side in sides))
    width = np.where(highest > lowest, highest - lowest, 1.0)
    shares = [_shares((side - lowest) / width) for side in sides]
    there = shares[0] > 0
    ratio = np.where(there, shares[0], 1.0) / np.where(
        there, np.maximum(shares[1], LEAST_SHARE), 1.0
    )
    found: FloatArray = (shares[0] * np.log(ratio)).sum(axis=1)
    return found


def _shares(places: FloatArray) -> FloatArray:
    """The share of models in each bin, `(samples, BINS)`, from places 0-1, `(models, samples)`."""
    import numpy as np

    models, samples = places.shape
    bins = np.minimum((places * BINS).astype(np.int64), BINS - 1)
    cells = bins + BINS * np.arange(samples)
    counts = np.bincount(cells.ravel(), minlength=samples * BINS)
    found: FloatArray = counts.reshape(samples, BINS) / models
    return found


def klom(evidence: Evidence) -> Measured:
    """KLOM on each population: its mean over samples and its 95th percentile, beside the floor.

    `mean` and `p95` are of all models. `half_` and `floor_` are of half as many as the smaller side
    has, the means over `HALVINGS` draws: unlearned models against some of the retrained ones, and
    other retrained ones against the same. Fewer models make every KLOM larger, so compare the floor
    with `half_`. `_error` is the standard error over models, from the spread of draws of half of
    each side (the jackknife that leaves out half): up to a third too small where the sides are far
    apart, up to 2.5 times too large where they are alike. That of the floor is the spread of single
    draws, about three times the standard error of their mean.

    Raises:
        DataError: there are no margins.
    """
    import numpy as np

    found: dict[str, Value] = {}
    for number, (name, margins) in enumerate(evidence.sets_of_margins().items()):
        rng = np.random.default_rng([evidence.seed, number])
        found[name] = _of_population(margins, rng)
    return Measured(found)


def _of_population(margins: Margins, rng: np.random.Generator) -> dict[str, Value]:
    import numpy as np

    halves = [len(side) // 2 for side in (margins.unlearned, margins.retrained)]
    half = min(halves)
    draws: dict[str, list[FloatArray]] = {"half": [], "floor": [], "own": []}
    for _ in range(HALVINGS):
        retrained = margins.retrained[rng.permutation(len(margins.retrained))]
        unlearned = margins.unlearned[rng.permutation(len(margins.unlearned))]
        one, other = retrained[:half], retrained[half : 2 * half]
        draws["half"].append(divergence(unlearned[:half], other))
        draws["floor"].append(divergence(one, other))
        # Half of each side's own models: fewer of the larger side would vary more than all do.
        own = unlearned[: halves[0]], retrained[half : half + halves[1]]
        draws["own"].append(divergence(*own))
    whole = divergence(margins.unlearned, margins.retrained)
    values: dict[str, Value] = {}
    for key, of in (("mean", np.mean), ("p95", _p95)):
        each = {name: [float(of(draw)) for draw in found] for name, found in draws.items()}
        values |= {
            key: _above_zero(of(whole)),
            f"{key}_error": float(np.std(each["own"], ddof=1)),
            f"half_{key}": _above_zero(np.mean(each["half"])),
            f"floor_{key}": _above_zero(np.mean(each["floor"])),
            f"floor_{key}_error": float(np.std(each["floor"], ddof=1)),
        }
    return values


def _p95(values: FloatArray) -> float:
    import numpy as np

    return float(np.percentile(values, 95))


def _above_zero(value: np.floating[Any] | float) -> float:
    """A divergence without what rounding took from zero."""
    return max(0.0, float(value))


KLOM = Metric(
    name="klom",
    short="KLOM",
    title="KL divergence of margins",
    run=klom,
    needs=frozenset({MARGINS}),
    unit="divergence",
    detailed=True,
    summary="How far the margins of many unlearned models are from those of as many retrained "
    "ones: the KL divergence of each sample's histogram over models, in nats, averaged over the "
    f"samples, and its 95th percentile. It needs {LEAST_MODELS} or more models a side, "
    "which a grid does not have: see `expunge evaluate --logits`.",
    good="no higher than the floor, which is half of the retrained models against the other half.",
    cite="Georgiev et al., Attribute-to-Delete: Machine Unlearning via Datamodel Matching, "
    "ICLR 2025",
)
