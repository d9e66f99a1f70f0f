"""1,797 grey 8x8 images of handwritten digits, embedded in scikit-learn."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.sources.source import Role, Source
from expunge.data.spec import OF_COLUMNS, OF_SPLITS, DataSpec, refuse

if TYPE_CHECKING:
    from expunge.types import Samples


def load_digits(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """All of them; they have no test split.

    Raises:
        ConfigError: a setting of columns or splits is given.
    """
    from expunge.data.cache import cached, decoding

    refuse(spec, *OF_COLUMNS, *OF_SPLITS)
    name = spec.name or "digits"

    def build(aside: Path) -> dict[Role, Samples]:
        import numpy as np
        from sklearn import datasets

        from expunge.data.arrays import as_images
        from expunge.data.conform import conform
        from expunge.data.tables import Table, join

        digits = datasets.load_digits()
        grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
        images = conform(as_images(grey, "digits"), spec)
        return join({"train": Table(images, digits.target, where="digits")}, name)

    # Kept like other data: importing scikit-learn takes longer than reading the images.
    return cached(cache, {"digits": version("scikit-learn"), **decoding(spec)}, name, build)


SOURCE = Source(
    name="digits",
    form="digits",
    recognises=lambda source: source == "digits",
    load=load_digits,
    stamp=lambda source: version("scikit-learn"),
)
