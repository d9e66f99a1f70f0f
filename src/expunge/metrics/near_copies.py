"""How many generated images are near copies of images that were to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import DataError
from expunge.metrics.metric import COPIES, Measured, Metric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from expunge.metrics.evidence import Evidence

    Images = npt.NDArray[np.float32]
    Distances = npt.NDArray[np.float32]

CHANCE = 1.0
"""Percentage of held-out real images that count as near copies."""


@dataclass(frozen=True, eq=False)
class Copies:
    """Distances to the nearest forgotten image.

    Raises:
        DataError: there is none of generated or of held-out images.
    """

    generated: Distances
    """`(N,)`, of images that the model makes."""
    held_out: Distances
    """`(M,)`, of real images that it was not trained on."""

    def __post_init__(self) -> None:
        if not len(self.generated) or not len(self.held_out):
            raise DataError(
                f"expected distances of generated and of held-out images, got "
                f"{len(self.generated)} and {len(self.held_out)}"
            )


def nearest(images: Images, others: Images) -> Distances:
    """The root mean square difference of each image to the nearest of `others`, `(N,)` float32.

    Both are `(N, C, H, W)`, with pixels in 0-1.
    """
    import numpy as np

    flat = others.reshape(len(others), -1)
    found = [
        np.sqrt(np.square(flat - each.reshape(1, -1), dtype=np.float64).mean(axis=1).min())
        for each in images
    ]
    return np.array(found, dtype=np.float32)


def near_copies(evidence: Evidence) -> Measured:
    """Percentage of generated images that are nearer to a forgotten image than chance.

    The threshold is the distance below which `CHANCE` per cent of held-out real images are.
    """
    import numpy as np

    copies = evidence.distances()
    threshold = np.percentile(copies.held_out, CHANCE)
    return Measured(100.0 * int((copies.generated < threshold).sum()) / len(copies.generated))


NEAR_COPIES = Metric(
    name="near_copies",
    short="Near copies",
    title="near copies of forgotten images",
    run=near_copies,
    needs=frozenset({COPIES}),
    unit="percent",
    tasks=frozenset({"generate"}),
    summary="The share of images that the model makes which are nearer to an image of the forget "
    "set, pixel by pixel, than 99 of 100 real images that it was not trained on.",
    good="about 1, the share among real images, and close to Retrain's value.",
    cite="Carlini et al., Extracting Training Data from Diffusion Models, USENIX Security 2023",
)
