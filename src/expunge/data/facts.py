"""Facts of a dataset, known without loading it: ids, labels, classes, shape, content digests.

Planning needs only these. They also freeze a model's data: what was held out, drawn or forgotten
stays the same when samples are removed later.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.atomic import replacing
from expunge.config import to_mapping
from expunge.data.sources import find_source, load
from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec
from expunge.digest import sealed, unsealed
from expunge.errors import DataError
from expunge.settings import InputKind

if TYPE_CHECKING:
    from expunge.types import Dataset, Samples

_log = logging.getLogger(__name__)

ROLES: tuple[Role, ...] = ("train", "validation", "test")
_FORMAT = 3
"""Part of every key: raise it when the facts, or how data are read, change."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The samples of one role, in order."""

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    """The class of every sample."""
    digests: tuple[str, ...]
    """Hex digest of every sample's input and label."""
    class_names: tuple[str, ...]
    touched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By edit: the ids of the samples it changed."""
    added: int = 0
    """How many of the last samples edits have added: the source does not have them."""

    @property
    def of_source(self) -> Part:
        """The samples that the source has."""
        end = len(self.ids) - self.added
        return replace(
            self,
            ids=self.ids[:end],
            labels=self.labels[:end],
            digests=self.digests[:end],
            added=0,
        )


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A dataset, without its inputs."""

    name: str
    """What tables call it."""
    kind: InputKind
    """What one input is."""
    shape: tuple[int, ...]
    """Of one input."""
    fingerprint: str
    """Hex digest of all content and its division; no paths, no times."""
    parts: Mapping[str, Part]
    """By role: `train`, `test` and perhaps `validation`."""
    held_out: tuple[str, ...] = ()
    """The roles that were taken from the training data."""
    mean: tuple[float, ...] | None = None
    """Per channel or feature of the training inputs; None for inputs without it."""
    std: tuple[float, ...] | None = None
    vocabulary: int | None = None
    """One more than the largest token id of all samples; for tokens only."""
    ids_from: str = ""
    """Where the ids come from; empty: they are hashes of the inputs."""
    notes: tuple[str, ...] = ()
    """What a person should know about how the data were read."""

    @property
    def train(self) -> Part:
        """The training samples."""
        return self.parts["train"]

    @property
    def statistics(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and standard deviation, or None."""
        return None if self.mean is None or self.std is None else (self.mean, self.std)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of all classes."""
        return self.train.class_names

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        parts = {
            role: {
                "ids": list(part.ids),
                "labels": list(part.labels),
                "digests": list(part.digests),
                "touched": {edit: list(ids) for edit, ids in part.touched.items()},
                **({"added": part.added} if part.added else {}),
            }
            for role, part in self.parts.items()
        }
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.shape),
            "fingerprint": self.fingerprint,
            "class_names": list(self.class_names),
            "held_out": list(self.held_out),
            "mean": None if self.mean is None else list(self.mean),
            "std": None if self.std is None else list(self.std),
            "vocabulary": self.vocabulary,
            "ids_from": self.ids_from,
            "notes": list(self.notes),
            "parts": parts,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Facts:
        """The facts that `to_json` wrote.

        Raises:
            KeyError, TypeError: the value is not such facts.
        """
        names = tuple(value["class_names"])
        parts = {
            role: Part(
                ids=tuple(part["ids"]),
                labels=tuple(part["labels"]),
                digests=tuple(part["digests"]),
                class_names=names,
                touched={edit: tuple(ids) for edit, ids in part["touched"].items()},
                added=part.get("added", 0),
            )
            for role, part in value["parts"].items()
        }
        return cls(
            name=value["name"],
            kind=value["kind"],
            shape=tuple(value["shape"]),
            fingerprint=value["fingerprint"],
            parts=parts,
            held_out=tuple(value["held_out"]),
            mean=None if value["mean"] is None else tuple(value["mean"]),
            std=None if value["std"] is None else tuple(value["std"]),
            vocabulary=value.get("vocabulary"),
            ids_from=value.get("ids_from", ""),
            notes=tuple(value.get("notes", ())),
        )


def facts_of(dataset: Dataset) -> Facts:
    """The facts of a loaded dataset, before any edit."""
    from expunge.data.statistics import input_statistics

    parts = {
        role: samples for role in ROLES if (samples := getattr(dataset, role, None)) is not None
    }
    train = dataset.train
    vocabularies = (samples.inputs.vocabulary for samples in parts.values())
    sizes = [size for size in vocabularies if size is not None]
    statistics = input_statistics(train)
    return Facts(
        name=train.name,
        kind=train.inputs.kind,
        shape=tuple(train.inputs.shape),
        fingerprint=dataset_fingerprint(dataset),
        parts={role: _part(samples) for role, samples in parts.items()},
        held_out=dataset.held_out,
        mean=None if statistics is None else statistics[0],
        std=None if statistics is None else statistics[1],
        vocabulary=max(sizes, default=None),
        ids_from=train.ids_from,
        notes=dataset.notes,
    )


def dataset_fingerprint(dataset: Dataset) -> str:
    """Hex digest of all that a run trains, selects and tests on."""
    parts = (dataset.train, dataset.validation, dataset.test)
    text = " ".join("-" if part is None else part.fingerprint for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def resolve(spec: DataSpec, cache: Path) -> Facts:
    """The facts of the dataset that `spec` names, from the cache or else by loading it.

    Only data not seen before load libraries: a source is recognised by its files' sizes and
    modification times, or by its name on the Hub.

    Raises:
        DataError: the data cannot be read, or its cache cannot be written.
    """
    key = _key(spec)
    path = None if key is None else cache / "facts" / f"{key}.facts"
    if path is not None and path.is_file():
        try:
            return Facts.from_json(json.loads(unsealed(path.read_bytes())))
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("note: %s is damaged (%s): the data are read again", path, error)
    facts = facts_of(load(spec, cache_dir=cache))
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as aside:
                aside.write_bytes(sealed(json.dumps(facts.to_json()).encode()))
        except OSError as error:
            raise DataError(
                f"cannot write the facts of {spec.source} to {path.parent} "
                f"({error.strerror}): set EXPUNGE_CACHE to another folder"
            ) from error
    return facts


def _key(spec: DataSpec) -> str | None:
    """The cache key of the facts of `spec`; None if it takes reading the data to know."""
    source = find_source(spec.source)
    stamp = source.stamp(spec.source)
    if stamp is None:
        return None
    later = ("edits", "groups", "labels")
    settings = {key: value for key, value in to_mapping(spec).items() if key not in later}
    text = json.dumps([_FORMAT, source.name, source.version, stamp, settings], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _part(samples: Samples) -> Part:
    from expunge.data.identity import sample_digests

    return Part(
        ids=samples.ids,
        labels=tuple(samples.labels.tolist()),
        digests=sample_digests(samples.inputs, samples.labels),
        class_names=samples.class_names,
    )
