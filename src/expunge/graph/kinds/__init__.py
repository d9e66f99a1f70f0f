"""The kinds of nodes, one per file, and `KINDS`."""

from expunge.graph.kind import Kind
from expunge.graph.kinds import (
    data,
    empty,
    forget,
    measure,
    path,
    pictures,
    predict,
    prune,
    sharpness,
    suspect,
    theorem,
    train,
    unlearn,
)

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        data.KIND,
        train.KIND,
        prune.KIND,
        suspect.KIND,
        forget.KIND,
        unlearn.KIND,
        predict.KIND,
        measure.KIND,
        path.KIND,
        sharpness.KIND,
        theorem.KIND,
        pictures.KIND,
        empty.KIND,
    )
}
"""Every kind, by its name."""
