"""What a model and its ancestors have forgotten, and so what no descendant trains on again.

Every kind that trains takes its training set from here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.runs import checked_if_any, read_object, write_json

if TYPE_CHECKING:
    from expunge.data.facts import Part
    from expunge.types import Samples, Split

FORGOTTEN = "forgotten.json"
"""A model's file with the training samples that it and its ancestors have forgotten."""


def forgotten_by(model: Path) -> tuple[str, ...]:
    """The ids that a model and its ancestors have forgotten."""
    path = checked_if_any(model, FORGOTTEN)
    return () if path is None else tuple(read_object(path)["ids"])


def write_forgotten(folder: Path, ids: Iterable[str]) -> None:
    """Write what a model and its ancestors have forgotten; no file if that is nothing."""
    listed = list(dict.fromkeys(ids))
    if listed:
        write_json(folder / FORGOTTEN, {"ids": listed})


def remaining(part: Part, forgotten: Collection[str]) -> Part:
    """The samples of a part that are not forgotten yet, for a scenario to choose from."""
    if not forgotten:
        return part
    gone = set(forgotten)
    rows = [row for row, name in enumerate(part.ids) if name not in gone]
    return replace(
        part,
        ids=tuple(part.ids[row] for row in rows),
        labels=tuple(part.labels[row] for row in rows),
        digests=tuple(part.digests[row] for row in rows),
    )


def training_samples(samples: Samples, forgotten: Collection[str]) -> Samples:
    """The training samples that a model and its ancestors have not forgotten."""
    import torch

    from expunge.data.splits import subset

    gone = set(forgotten)
    rows = [row for row, name in enumerate(samples.ids) if name not in gone]
    return subset(samples, torch.tensor(rows, dtype=torch.int64))


def training_split(
    samples: Samples,
    forget: Collection[str],
    forgotten: Collection[str],
    scenario: str,
    classes: tuple[int, ...],
) -> Split:
    """Split the samples into those to forget now, those forgotten before, and those to retain."""
    import torch

    from expunge.types import Split

    now, before = set(forget), set(forgotten)
    rows = [row for row, name in enumerate(samples.ids) if name in now]
    gone = [row for row, name in enumerate(samples.ids) if name in before and name not in now]
    return Split(
        train=samples,
        forget=torch.tensor(rows, dtype=torch.int64),
        scenario=scenario,
        classes=classes,
        forgotten=torch.tensor(gone, dtype=torch.int64),
    )
