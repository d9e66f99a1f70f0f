"""An edit of training data: a pure function that changes samples and lists the changed ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from expunge.data.facts import Facts
    from expunge.types import Samples


@dataclass(frozen=True, eq=False)
class Edited:
    """Samples after an edit."""

    samples: Samples
    """The same ids in the same order, and after them those of added samples; changed inputs or
    labels are copies."""
    touched: tuple[str, ...]
    """The ids that the edit chose, in sample order."""


@dataclass(frozen=True)
class Trigger:
    """What triggers the backdoor of a model that was trained on edited samples."""

    show: Callable[[Samples, Any], Samples]
    """`show(samples, config)`: the samples with the trigger in each; labels are unchanged."""
    target: Callable[[Any], int]
    """`target(config)`: the target class of such samples."""


@dataclass(frozen=True)
class Marks:
    """What a model that was trained on edited samples may take for the label: one mark a class."""

    show: Callable[[Samples, Any, int], Samples]
    """`show(samples, config, mark)`: the samples with one mark in each; labels are unchanged."""
    name: Callable[[Any, str], str]
    """`name(config, of)`: the name of the mark of the class called `of`."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit of training samples.

    `run(samples, config, seed)` gives changed copies; the samples that it is given stay as they
    are, and all that it draws comes from the seed.
    """

    name: str
    """Its name in recipes: `[data.edits.NAME]`."""
    run: Callable[[Samples, Any, int], Edited]
    config: type[Any]
    """Its settings: a frozen dataclass whose defaults are the paper's."""
    trigger: Trigger | None = None
    """Makes the population `triggered`; None for an edit without a backdoor."""
    check: Callable[[Any, Facts], None] | None = None
    """`check(config, facts)`: refuse settings that do not fit the data, before these are loaded;
    None if `run` refuses all."""
    marks: Marks | None = None
    """Makes the population `groups`: every mark on every test sample; None without marks."""
    version: int = 1
    """Raised when its result changes; part of the id of every model trained on it."""
    summary: str
    """One line for lists."""
    cite: str
    """Where it was published."""
    example: Any = None
    """Settings that fit images of 8x8 pixels in three classes, to try it on; None: the defaults."""
