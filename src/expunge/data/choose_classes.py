"""Samples of some classes only: the others are left out before anything is held out or drawn."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import torch

from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec
from expunge.data.splits import subset
from expunge.errors import ConfigError, some, unknown
from expunge.types import Samples


def of_chosen_classes(parts: Mapping[Role, Samples], spec: DataSpec) -> Mapping[Role, Samples]:
    """The parts with only the classes that `spec` chooses, in the data's order, numbered anew.

    Raises:
        ConfigError: the data have no such class.
    """
    if spec.only_classes is None:
        return parts
    names = parts["train"].class_names
    for name in spec.only_classes:
        if name not in names:
            raise ConfigError(f"{spec.source}: only_classes: {unknown('class', name, names)}")
    return {role: _chosen(samples, spec.only_classes) for role, samples in parts.items()}


def _chosen(samples: Samples, chosen: tuple[str, ...]) -> Samples:
    kept = [name for name in samples.class_names if name in chosen]
    numbers = torch.tensor(
        [kept.index(name) if name in chosen else -1 for name in samples.class_names]
    )
    labels = numbers[samples.labels]
    rows = (labels >= 0).nonzero().flatten()
    note = (
        f"only {len(kept)} of {len(samples.class_names)} classes are used ({some(kept)}): "
        f"{len(rows)} of {len(samples)} samples"
    )
    left = subset(samples, rows)
    digest = hashlib.blake2b(f"{left.fingerprint} {kept}".encode(), digest_size=16)
    return replace(
        left,
        labels=labels[rows],
        class_names=tuple(kept),
        fingerprint=digest.hexdigest(),
        notes=(*samples.notes, note),
    )
