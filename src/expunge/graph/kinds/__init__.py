"""The kinds of nodes, one per file, and `KINDS`."""

from expunge.graph.kind import Kind
from expunge.graph.kinds import (
    attribution,
    correct,
    data,
    empty,
    forget,
    generate,
    judge,
    lds,
    measure,
    memorisation,
    nearest,
    path,
    pictures,
    predict,
    prune,
    sharpness,
    similarity,
    subsets,
    suspect,
    theorem,
    train,
    transfer,
    unlearn,
    weight_influence,
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
        correct.KIND,
        predict.KIND,
        measure.KIND,
        generate.KIND,
        judge.KIND,
        nearest.KIND,
        path.KIND,
        sharpness.KIND,
        similarity.KIND,
        transfer.KIND,
        theorem.KIND,
        pictures.KIND,
        attribution.KIND,
        subsets.KIND,
        lds.KIND,
        memorisation.KIND,
        weight_influence.KIND,
        empty.KIND,
    )
}
"""Every kind, by its name."""
