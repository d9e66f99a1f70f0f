"""Which classes there are, in the order of a network's outputs.

A label that is an integer is the number of an output, as it stands. A label that is a text is the
name of a class; classes are in sorted order, as numbers if all names are whole numbers.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from expunge.data.sources.source import Role
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError, some
from expunge.types import Samples

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_LARGEST = 1_000_000
"""Labels from here on are taken for identifiers, not for numbers of outputs."""
_MOST_EMPTY = 1_000
"""More classes without a sample than this have to be asked for."""


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in the order of the outputs: as numbers if all are, else as texts."""
    unique = set(names)
    return tuple(sorted(unique, key=_number) if _are_numbers(unique) else sorted(unique))


def numbered(highest: int, where: str) -> tuple[str, ...]:
    """The names of the classes 0 to `highest`.

    Raises:
        DataError: there would be more than a million.
    """
    if highest >= _LARGEST:
        raise DataError(
            f"{where}: label {highest} is too large for the number of an output: number the "
            "classes from 0, or store the labels as text"
        )
    return tuple(map(str, range(highest + 1)))


def with_classes(parts: Mapping[Role, Samples], spec: DataSpec) -> Mapping[Role, Samples]:
    """The parts with the classes that `spec` gives, in its order; else as they are.

    Raises:
        ConfigError: the classes that `spec` gives are not those of the data.
        DataError: labels are numbers with large gaps, and `spec` gives no classes.
    """
    if spec.class_names is None and spec.num_classes is None:
        _check_gaps(parts, spec.source)
        return parts
    return {role: _renumbered(samples, spec) for role, samples in parts.items()}


def class_notes(samples: Samples, *, chosen: bool = False) -> tuple[str, ...]:
    """What a person should know about the classes: which have no sample, and odd numbers.

    Names that are numbers are not odd if only some classes were `chosen`.
    """
    notes = []
    present = set(samples.labels.tolist())
    empty = [name for at, name in enumerate(samples.class_names) if at not in present]
    if empty:
        notes.append(
            f"no training sample in {len(empty)} of {samples.num_classes} classes: {some(empty)}"
        )
    if not chosen and _are_numbers(samples.class_names):
        shifted = [(name, at) for at, name in enumerate(samples.class_names) if int(name) != at]
        if shifted:
            name, at = shifted[0]
            notes.append(
                f"class names are numbers, but class {name} is output {at} of the network: if they "
                f"number the outputs, set num_classes to {int(samples.class_names[-1]) + 1} or more"
            )
    return tuple(notes)


def read_names(path: Path) -> tuple[str, ...]:
    """The class names in a text file, one a line, in the order of the outputs.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read class names from {path}: {error}") from None
    return tuple(line.strip() for line in lines if line.strip())


def _renumbered(samples: Samples, spec: DataSpec) -> Samples:
    own, present = samples.class_names, set(samples.labels.tolist())
    wanted = spec.class_names or tuple(map(str, range(spec.num_classes or 0)))
    used = [own[label] for label in sorted(present)]
    if spec.class_names is None and not _are_numbers(own):
        if len(own) != spec.num_classes:
            raise ConfigError(
                f"{spec.source}: num_classes is {spec.num_classes}, but there are {len(own)} named "
                f"classes: {some(own)}; give class_names, in the order of the network's outputs"
            )
        return samples
    if spec.class_names is None:
        by_name = {name: int(name) for name in own}
        times = Counter(by_name.values())
        if twins := [name for name in own if times[by_name[name]] > 1]:
            raise ConfigError(
                f"{spec.source}: the classes {some(twins)} are the same number: rename them, or "
                "give class_names"
            )
    elif set(used) <= set(wanted) or not _is_numbered(own):
        by_name = {name: at for at, name in enumerate(wanted)}
    else:
        by_name = {name: at for at, name in enumerate(own)}
    lacking = [name for name in used if not 0 <= by_name.get(name, -1) < len(wanted)]
    if lacking:
        raise ConfigError(
            f"{spec.source}: the data have the classes {some(lacking)}, which are not among the "
            f"{len(wanted)} given: {some(wanted)}"
        )
    if wanted == own:
        return samples
    places = torch.tensor([by_name.get(name, -1) for name in own])
    labels = places[samples.labels]
    digest = hashlib.blake2b(samples.fingerprint.encode(), digest_size=16)
    digest.update(labels.numpy().tobytes() + repr(wanted).encode())
    return replace(samples, labels=labels, class_names=wanted, fingerprint=digest.hexdigest())


def _check_gaps(parts: Mapping[Role, Samples], source: str) -> None:
    # In all parts together: a small test set lacks many classes.
    present = len({label for samples in parts.values() for label in samples.labels.tolist()})
    names = parts["train"].class_names
    if _is_numbered(names) and len(names) - present > _MOST_EMPTY:
        raise DataError(
            f"{source}: labels go up to {len(names) - 1} but only {present} occur: number "
            "the classes from 0, store the labels as text, or set num_classes to as many as the "
            "network has outputs"
        )


def _are_numbers(names: Iterable[str]) -> bool:
    return all(_WHOLE.fullmatch(name) for name in names)


def _is_numbered(names: Sequence[str]) -> bool:
    return tuple(names) == tuple(map(str, range(len(names))))


def _number(name: str) -> tuple[int, str]:
    return int(name), name
