"""The Fréchet distance between generated and real images, in an independent classifier's features.

It is not the FID, whose features are those of one network for photographs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.errors import DataError, TooFewSamplesError
from expunge.metrics.metric import GENERATED, REAL, Measured, Metric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from expunge.metrics.evidence import Evidence, Predictions

    Features = npt.NDArray[np.float64]


def frechet_distance(one: Features, other: Features) -> float:
    """‖μ1 − μ2‖² + Tr(C1 + C2 − 2 (C1 C2)^½) of two sets of features `(N, D)` and `(M, D)`.

    Source: Dowson and Landau 1982, equation 4; Heusel et al. 2017, equation 6.

    Raises:
        TooFewSamplesError: there are fewer than two samples in a set.
    """
    import numpy as np

    if min(len(one), len(other)) < 2:
        raise TooFewSamplesError(
            f"a covariance needs two images or more, got {min(len(one), len(other))}"
        )
    first, second = _covariance(one), _covariance(other)
    root = _root(first)
    # Tr (C1 C2)^½ = Tr (C1^½ C2 C1^½)^½, whose argument is symmetric.
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    means = one.mean(axis=0, dtype=np.float64) - other.mean(axis=0, dtype=np.float64)
    found = float(means @ means + np.trace(first) + np.trace(second) - 2 * shared)
    return max(0.0, found)


def _covariance(features: Features) -> Features:
    """The unbiased covariance `(D, D)`."""
    import numpy as np

    centred = features - features.mean(axis=0, dtype=np.float64)
    found: Features = centred.T @ centred / (len(features) - 1)
    return found


def _root(matrix: Features) -> Features:
    """The symmetric square root of a symmetric matrix without negative eigenvalues."""
    import numpy as np

    values, vectors = np.linalg.eigh(matrix)
    found: Features = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return found


def frechet(evidence: Evidence) -> Measured:
    """The distance of generated images to one half of the real ones, over the retained classes."""
    generated, real, _ = _equal_parts(evidence)
    return Measured(frechet_distance(generated, real))


def frechet_floor(evidence: Evidence) -> Measured:
    """The distance between two halves of the real images, over the retained classes."""
    _, real, others = _equal_parts(evidence)
    return Measured(frechet_distance(others, real))


def _equal_parts(evidence: Evidence) -> tuple[Features, Features, Features]:
    """Features of generated images, and of two disjoint parts of the retained real ones.

    All three have as many images of each retained class: as many as the rarest allows.
    """
    import numpy as np

    real = evidence.retained(REAL)
    asked = ~evidence.of_forgotten_classes(GENERATED)
    if not asked.any():
        raise TooFewSamplesError("every class is forgotten: no image is left to compare")
    generated = evidence.predictions_of(GENERATED).at(asked)
    classes = sorted(set(generated.labels.tolist()))
    rng = np.random.default_rng(evidence.seed)
    rows = [rng.permutation(np.flatnonzero(real.labels == each)) for each in classes]
    made = [np.flatnonzero(generated.labels == each) for each in classes]
    count = min([len(each) // 2 for each in rows] + [len(each) for each in made])
    if count == 0:
        raise TooFewSamplesError(
            "a class has fewer than two real images: they cannot be compared with each other"
        )
    first, second = [each[:count] for each in rows], [each[count : 2 * count] for each in rows]
    return (
        _features(generated)[np.concatenate([each[:count] for each in made])],
        _features(real)[np.concatenate(first)],
        _features(real)[np.concatenate(second)],
    )


def _features(predictions: Predictions) -> Features:
    if predictions.features is None:
        raise DataError("there are no features of the images: judge them by a classifier")
    found: Features = predictions.features.astype("float64")
    return found


_CITE = "Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017"

FRECHET = Metric(
    name="frechet",
    short="Fréchet",
    title="Fréchet distance to real images",
    run=frechet,
    needs=frozenset({GENERATED, REAL}),
    unit="distance",
    tasks=frozenset({"generate"}),
    summary="The Fréchet distance between images that the model makes of the retained classes and "
    "as many real ones, in the features of an independent classifier. It is not the FID.",
    good="low: near the floor, the distance of real images to other real images.",
    cite=_CITE,
)

FRECHET_FLOOR = Metric(
    name="frechet_floor",
    short="Fréchet, real",
    title="Fréchet distance of real images to others",
    run=frechet_floor,
    needs=frozenset({GENERATED, REAL}),
    unit="distance",
    tasks=frozenset({"generate"}),
    summary="The Fréchet distance between two sets of real images, as many as are compared with "
    "generated ones: the floor of that distance.",
    good="the same for all models of a seed.",
    cite=_CITE,
)
