"""Weights from elsewhere: what tells them apart, and taking them in place of training."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import CheckpointError
from expunge.models.networks import task_of
from expunge.tasks import get_task

if TYPE_CHECKING:
    from torch import nn

    from expunge.data.facts import Facts
    from expunge.graph.runtime import Runtime
    from expunge.models.spec import ModelSpec
    from expunge.runs import Node
    from expunge.types import Dataset, Mask

ADOPTION = 1
"""Increased when what is checked or recorded of adopted weights changes."""


def weights_digest(path: Path) -> str:
    """Hex digest of a file of weights, or of all in a folder.

    Raises:
        CheckpointError: a file cannot be read.
    """
    if path.is_dir():
        from expunge.models.pretrained import weight_files

        parts = [f"{each.name} {weights_digest(each)}" for each in weight_files(path)]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError as error:
        raise CheckpointError(f"cannot read the weights {path}: {error.strerror}") from None


def adopt(
    node: Node,
    runtime: Runtime,
    facts: Facts,
    dataset: Dataset,
    model: nn.Module,
    spec: ModelSpec,
) -> tuple[dict[str, Any], Mask | None]:
    """Load weights from elsewhere into `model`, and refuse them if they do not fit the data.

    Returns the record, and the mask of a sparse model.

    Raises:
        CheckpointError: they cannot be read, have changed since they were planned, or do not fit.
    """
    from expunge.graph.adoption import check_adopted, measured
    from expunge.models.weights import load_weights
    from expunge.sparsity.found import SHARE, mask_of_zeros
    from expunge.sparsity.mask import mask_sparsity

    where = runtime.where(node)
    path = Path(str(where["weights"]))
    if weights_digest(path) != node.params["weights"]:
        raise CheckpointError(
            f"the weights {path} have changed since this was planned: run the command again"
        )
    if path.is_dir():
        from expunge.models.pretrained import load_pretrained

        loaded = load_pretrained(model, path, facts.class_names)
    else:
        loaded = load_weights(model, path, node.params.get("weights_key"))
    notes = list(loaded.notes)
    network = node.params["network"]
    if loaded.inner and "normalisation" not in network and spec.mean is not None:
        notes.append(
            "no normalisation came with the weights: inputs are normalised by the mean and "
            "standard deviation of the training data; --normalise or --mean and --std set others"
        )
    masked = {name: kept for name, kept in loaded.mask.items() if not bool(kept.all())}
    zeros = mask_of_zeros(model, share=0 if masked else SHARE)
    mask = {**masked, **(zeros or {})} or None
    if mask is not None:
        notes.append(
            f"{mask_sparsity(mask):.1%} of the weights in {len(mask)} layers are zero: the model "
            "is taken as sparse, and they stay zero in unlearning and retraining"
        )
    if not get_task(task_of(spec.name, spec.task)).classifies:
        return {"notes": notes, "inner": loaded.inner}, mask
    found = measured(model, dataset, runtime.evaluator)
    check_adopted(
        found, where.get("expect_accuracy"), model, dataset, facts.statistics, runtime.evaluator
    )
    record = {
        "accuracy": {part: each.to_json() for part, each in found.items()},
        "notes": notes,
        "inner": loaded.inner,
    }
    return record, mask
