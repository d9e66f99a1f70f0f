"""The kinds of nodes, one per file, and `KINDS`."""

from expunge.graph.kind import Kind
from expunge.graph.kinds import (
    data,
    empty,
    forget,
    generate,
    judge,
    measure,
    nearest,
    path,
    predict,
    prune,
    sharpness,
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
        forget.KIND,
        unlearn.KIND,
        predict.KIND,
        measure.KIND,
        generate.KIND,
        judge.KIND,
        nearest.KIND,
        path.KIND,
        sharpness.KIND,
        theorem.KIND,
        empty.KIND,
    )
}
"""Every kind, by its name."""
