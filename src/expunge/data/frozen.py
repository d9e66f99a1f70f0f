"""Load a dataset as its facts record it: the same samples in the same order.

Forgotten samples may be gone from the source by now. Every other sample must still be there,
unchanged.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from expunge.data.divide import divide
from expunge.data.facts import ROLES, Facts, Part, dataset_fingerprint
from expunge.data.identity import sample_digests
from expunge.data.sources import read_parts
from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec
from expunge.data.splits import subset
from expunge.errors import DataError, some
from expunge.types import Dataset, Samples

_CONTENT_ID = re.compile(r"[0-9a-f]{16}(-\d+)?")


def load_frozen(
    spec: DataSpec, facts: Facts, forgotten: Collection[str], cache: Path | None
) -> Dataset:
    """The dataset that `facts` describes, read from the source of `spec`, before any edit.

    Training samples whose ids are in `forgotten` may be gone; the result then lacks them.

    Raises:
        DataError: a sample that is not in `forgotten` is missing or changed.
    """
    parts = read_parts(spec, cache)
    try:
        dataset = divide(parts, spec)
    except DataError:
        dataset = None  # too few are left to divide, but the frozen division may still apply
    if dataset is not None and dataset_fingerprint(dataset) == facts.fingerprint:
        return dataset
    gone = set(forgotten)
    found = {
        role: _restored(part.of_source, parts, role, gone if role == "train" else set(), spec)
        for role in ROLES
        if (part := facts.parts.get(role)) is not None
    }
    return Dataset(
        train=found["train"],
        test=found["test"],
        validation=found.get("validation"),
        held_out=facts.held_out,
    )


def _restored(
    part: Part, parts: Mapping[Role, Samples], role: Role, gone: set[str], spec: DataSpec
) -> Samples:
    """The samples of one role, by id, from whichever part of the source has them now."""
    missing = list(part.ids)
    # Samples held out of the training data are in the source's training part.
    for source in (parts.get(role), parts.get("train")):
        if source is None:
            continue
        samples = _by_digest(source, part, gone)
        there = set(samples.ids)
        lacking = [name for name in part.ids if name not in there and name not in gone]
        if not lacking:
            return samples
        missing = min(missing, lacking, key=len)
    raise DataError(
        f"the data at {spec.source} has changed: {len(missing)} of {len(part.ids)} {role} samples "
        f"are missing or changed, and the model has not forgotten them ({some(missing)}): put them "
        "back, or train again"
    )


def _by_digest(samples: Samples, part: Part, gone: set[str]) -> Samples:
    """Those of `samples` that are unchanged in the part, in its order, with its class numbers.

    If some of several equal samples are missing, those in `gone` count as the missing ones.
    """
    place = {name: row for row, name in enumerate(samples.ids)}
    names = {name: number for number, name in enumerate(part.class_names)}
    # If all samples of a class are gone, the numbers of later classes shift.
    classes = torch.tensor([names.get(name, -1) for name in samples.class_names])
    labels = classes[samples.labels]
    digests = sample_digests(samples.inputs, labels)
    rows: dict[str, int] = {}
    for name, digest in zip(part.ids, part.digests, strict=True):
        if name in place and digests[place[name]] == digest:
            rows[name] = place[name]
    # Hash ids number equal samples, so when one is gone another takes its id.
    spare: dict[str, list[int]] = {}
    for row in sorted(set(range(len(samples))) - set(rows.values())):
        spare.setdefault(digests[row], []).append(row)
    for name, digest in zip(part.ids, part.digests, strict=True):
        if name not in rows and spare.get(digest):
            rows[name] = spare[digest].pop(0)
    stand_ins: dict[str, list[str]] = {}
    for name in rows:
        if name in gone and _CONTENT_ID.fullmatch(name):
            stand_ins.setdefault(name.partition("-")[0], []).append(name)
    for name, digest in zip(part.ids, part.digests, strict=True):
        for other in stand_ins.get(name.partition("-")[0], ()):
            if name not in rows and name not in gone and digests[rows[other]] == digest:
                rows[name] = rows.pop(other)
                stand_ins[name.partition("-")[0]].remove(other)
                break
    kept = [name for name in part.ids if name in rows]
    renamed = replace(samples, labels=labels, class_names=part.class_names)
    chosen = subset(renamed, torch.tensor([rows[name] for name in kept], dtype=torch.int64))
    return replace(chosen, ids=tuple(kept))
