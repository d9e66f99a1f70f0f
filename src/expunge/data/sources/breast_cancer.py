"""569 vectors of 30 features of cell nuclei, malignant or benign, embedded in scikit-learn."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.data.sources.source import Role, Source
from expunge.data.spec import OF_COLUMNS, OF_IMAGES, OF_SPLITS, DataSpec, refuse

if TYPE_CHECKING:
    from expunge.types import Samples


def load_breast_cancer(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """All of them, as they were measured; they have no test split.

    Raises:
        ConfigError: a setting of columns, splits or images is given.
    """
    from expunge.data.cache import cached

    refuse(spec, *OF_COLUMNS, *OF_SPLITS, *OF_IMAGES)
    name = spec.name or "breast_cancer"

    def build(aside: Path) -> dict[Role, Samples]:
        from sklearn import datasets

        from expunge.data.arrays import as_vectors
        from expunge.data.tables import Table, join

        found = datasets.load_breast_cancer()
        table = Table(
            as_vectors(found.data, "breast_cancer"),
            found.target,
            where="breast_cancer",
            class_names=tuple(map(str, found.target_names)),
        )
        return join({"train": table}, name)

    return cached(cache, {"breast_cancer": version("scikit-learn")}, name, build)


SOURCE = Source(
    name="breast_cancer",
    form="breast_cancer",
    recognises=lambda source: source == "breast_cancer",
    load=load_breast_cancer,
    stamp=lambda source: version("scikit-learn"),
)
