"""Short summaries of samples, datasets and splits, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from expunge.errors import some

if TYPE_CHECKING:
    from expunge.types import Dataset, Samples, Split

_MOST_CLASSES = 20
"""Up to so many classes are counted one by one."""
_EXAMPLES = 3


def describe_samples(samples: Samples) -> str:
    """What the samples are, how many there are of each class, and their ids."""
    return "\n".join(
        (_title(samples), _line("samples", samples), _ids(samples), *_notes(samples.notes))
    )


def describe_dataset(dataset: Dataset) -> str:
    """What the samples are, how many each part has of each class, and their ids."""
    lines = [_title(dataset.train)]
    for role in ("train", "validation", "test"):
        part: Samples | None = getattr(dataset, role)
        if part is not None:
            held_out = ", taken from the training data" if role in dataset.held_out else ""
            lines.append(_line(f"{role}{held_out}", part))
    return "\n".join((*lines, _ids(dataset.train), *_notes(dataset.notes)))


def describe_split(split: Split) -> str:
    """How many samples there are to forget and to retain, in all and of each class."""
    lines = [
        f"{_flat(split.scenario)}: {len(split.forget)} of {len(split.train)} samples to forget",
        _line("forget", split.train, split.forget),
        _line("retain", split.train, split.retain),
    ]
    if len(split.forgotten):
        lines.append(_line("forgotten before", split.train, split.forgotten))
    return "\n".join((*lines, f"  of {_title(split.train)}"))


def _title(samples: Samples) -> str:
    inputs = samples.inputs
    shape = " x ".join(map(str, inputs.shape))
    dtype = str(inputs.dtype).removeprefix("torch.")
    return f"{_flat(samples.name)}: {inputs.kind}, {shape}, {dtype}, {samples.num_classes} classes"


def _line(what: str, samples: Samples, index: Tensor | None = None) -> str:
    """How many samples there are in all and of each class; `index` chooses some of them."""
    labels = samples.labels if index is None else samples.labels[index]
    counts = torch.bincount(labels, minlength=samples.num_classes).tolist()
    names = map(_flat, samples.class_names)
    there = {name: count for name, count in zip(names, counts, strict=True) if count}
    by_class = ", ".join(f"{name}: {count}" for name, count in there.items())
    if len(there) > _MOST_CLASSES:
        by_class = f"{min(there.values())} to {max(there.values())} of each of {len(there)} classes"
    return f"  {what}: {len(labels)} ({by_class})"


def _ids(samples: Samples) -> str:
    """Where the ids come from, and a few of them."""
    source = _flat(samples.ids_from) or f"hashes of the {samples.inputs.kind}"
    return f"  ids, {source}: {some(map(_flat, samples.ids), _EXAMPLES)}"


def _notes(notes: Iterable[str]) -> list[str]:
    return [f"  note: {_flat(note)}" for note in notes]


def _flat(text: str) -> str:
    """The text in one line."""
    return " ".join(text.split())
