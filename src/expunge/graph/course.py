"""The course of training: loss and learning rate of every epoch, beside a node's other files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from expunge.runs import checked_if_any, read_object, write_json

COURSE = "course.json"


@dataclass
class Curve:
    """One training within a node; a node may hold several, such as the rounds of a pruner."""

    task: str
    loss: list[float] = field(default_factory=list)
    """By epoch: the mean over its steps."""
    lr: list[float] = field(default_factory=list)
    """By epoch: the learning rate of its last step."""


class Course:
    """The curves of a node, in the order in which it trained."""

    def __init__(self) -> None:
        self.curves: list[Curve] = []

    def add(self, task: str, epoch: int, loss: float, lr: float) -> None:
        """Note an epoch of `task`; epoch 1 begins a curve."""
        if epoch == 1:
            self.curves.append(Curve(task))
        self.curves[-1].loss.append(loss)
        self.curves[-1].lr.append(lr)

    def clear(self) -> None:
        """Forget all, for the next node."""
        self.curves = []


def write_course(folder: Path, course: Course) -> None:
    """Write a course into a node's folder, unless the node trained nothing."""
    if course.curves:
        write_json(folder / COURSE, {"curves": [asdict(curve) for curve in course.curves]})


def read_course(folder: Path) -> list[Curve]:
    """The curves of the node in this folder; none if it did not train, or its files are older.

    Raises:
        StoreError: the file is damaged.
    """
    path = checked_if_any(folder, COURSE)
    return [] if path is None else [Curve(**each) for each in read_object(path)["curves"]]
