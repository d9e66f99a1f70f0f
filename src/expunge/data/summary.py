"""What was read, in lines for people; nothing here loads PyTorch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from expunge.data.facts import Facts, Part

_MOST_CLASSES = 20
"""Up to this many classes are counted one by one."""


def summary(facts: Facts) -> tuple[str, ...]:
    """How many samples there are, in which parts and classes, where ids come from, and notes."""
    count = sum(len(part.ids) for part in facts.parts.values())
    classes = _counted(len(facts.class_names), "class", "classes")
    split = ", no split" if "test" in facts.held_out else ""
    title = f"{_flat(facts.name)}: {count} {_inputs(facts)}, {classes}{split}"
    parts = [
        f"  {role}: {_by_class(part)}{_taken(role, facts)}" for role, part in facts.parts.items()
    ]
    ids = f"  ids: {facts.ids_from or f'hashes of the {facts.kind}'}"
    notes = (*facts.notes, *_copies(facts))
    return (title, *parts, ids, *(f"note: {_flat(note)}" for note in notes))


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


def _by_class(part: Part) -> str:
    """The number of samples, in all and in each class that has some."""
    counts = Counter(part.labels)
    if len(counts) > _MOST_CLASSES:
        least, most = min(counts.values()), max(counts.values())
        return f"{len(part.labels)} ({least} to {most} in each of {len(counts)} classes)"
    listed = ", ".join(f"{_flat(part.class_names[at])}: {counts[at]}" for at in sorted(counts))
    return f"{len(part.labels)} ({listed})"


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


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _flat(text: str) -> str:
    """The text in one line, without control characters."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in line)
