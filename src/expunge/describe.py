"""Short summaries of samples, datasets and splits, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from expunge.data.summary import by_class, one_line, source_of_ids
from expunge.errors import some

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.types import Dataset, Samples, Split

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
        f"{one_line(split.scenario)}: {len(split.forget)} of {len(split.train)} samples to forget",
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
    return (
        f"{one_line(samples.name)}: {inputs.kind}, {shape}, {dtype}, {samples.num_classes} classes"
    )


def _line(what: str, samples: Samples, index: Tensor | None = None) -> str:
    """How many samples there are in all and of each class; `index` chooses some of them."""
    labels = samples.labels if index is None else samples.labels[index]
    return f"  {what}: {by_class(labels.tolist(), samples.class_names)}"


def _ids(samples: Samples) -> str:
    """Where the ids come from, and a few of them."""
    source = source_of_ids(samples.ids_from, samples.inputs.kind)
    return f"  ids, {source}: {some(map(one_line, samples.ids), _EXAMPLES)}"


def _notes(notes: Iterable[str]) -> list[str]:
    return [f"  note: {one_line(note)}" for note in notes]
