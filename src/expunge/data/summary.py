"""What was read, in lines for people; nothing here loads PyTorch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from expunge.data.facts import Facts
from expunge.settings import InputKind

_MOST_CLASSES = 20
"""Up to this many classes are counted one by one."""


def summary(facts: Facts, edits: Mapping[str, Mapping[str, Any]] | None = None) -> tuple[str, ...]:
    """How many samples there are, in which parts and classes, where ids come from, and notes.

    `edits` are the settings of the edits that come next, by name.
    """
    count = sum(len(part.ids) for part in facts.parts.values())
    classes = _counted(len(facts.class_names), "class", "classes")
    split = ", no split" if "test" in facts.held_out else ""
    title = f"{one_line(facts.name)}: {count} {_inputs(facts)}, {classes}{split}"
    parts = [
        f"  {role}: {by_class(part.labels, part.class_names)}{_taken(role, facts)}"
        for role, part in facts.parts.items()
    ]
    ids = f"  ids: {source_of_ids(facts.ids_from, facts.kind)}"
    edited = [f"  then edited: {name}{_settings(edit)}" for name, edit in (edits or {}).items()]
    notes = (*facts.notes, *_copies(facts))
    return (title, *parts, *edited, ids, *(f"note: {one_line(note)}" for note in notes))


def _inputs(facts: Facts) -> str:
    match facts.kind:
        case "images":
            return f"images of {'x'.join(map(str, facts.shape))}"
        case "vectors":
            return f"vectors of {_counted(facts.shape[0], 'number', 'numbers')}"
        case _:
            return f"sequences of up to {_counted(facts.shape[0], 'token', 'tokens')}"


def _taken(role: str, facts: Facts) -> str:
    return ", taken from the training data" if role in facts.held_out else ""


def _settings(edit: Mapping[str, Any]) -> str:
    listed = ", ".join(f"{setting} {value}" for setting, value in edit.items())
    return f" ({one_line(listed)})" if listed else ""


def by_class(labels: Iterable[int], class_names: Sequence[str]) -> str:
    """The number of samples, in all and in each class that has some."""
    counts = Counter(labels)
    if len(counts) > _MOST_CLASSES:
        least, most = min(counts.values()), max(counts.values())
        return f"{counts.total()} ({least} to {most} in each of {len(counts)} classes)"
    listed = ", ".join(f"{one_line(class_names[at])}: {counts[at]}" for at in sorted(counts))
    return f"{counts.total()} ({listed})"


def _copies(facts: Facts) -> Iterator[str]:
    """That samples are equal: to forget one is not to forget its copy."""
    train = Counter(facts.train.digests)
    extra = sum(count - 1 for count in train.values())
    if extra:
        copies = _counted(extra, "training sample is a copy", "training samples are copies")
        yield f"{copies} of another one: forgetting one does not forget the other"
    for role, part in facts.parts.items():
        seen = 0 if role == "train" else sum(digest in train for digest in part.digests)
        if seen:
            copies = _counted(seen, f"{role} sample is a copy", f"{role} samples are copies")
            yield f"{copies} of a training sample"


def source_of_ids(ids_from: str, kind: InputKind) -> str:
    """Where ids come from; they are hashes if `ids_from` is empty."""
    return one_line(ids_from) or f"hashes of the {kind}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def one_line(text: str) -> str:
    """The text in one line, without control characters."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in line)
