"""Forget the samples that a data edit changed, such as poisoned or mislabelled ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, ForgetError, unknown
from expunge.scenarios.base import touched_by

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByEdit:
    """The training samples that an edit changed.

    Raises:
        ConfigError: no edit is named.
    """

    edit: str
    """The edit's name, such as `badnets`."""

    def __post_init__(self) -> None:
        if not self.edit:
            raise ConfigError("by_edit needs the name of an edit, such as badnets")

    @property
    def name(self) -> str:
        """The text form, for example `edited:badnets`."""
        return f"edited:{self.edit}"

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The samples that the edit changed; no classes.

        Raises:
            ForgetError: the data has no such edit.
        """
        import numpy as np

        return np.array(self._rows(samples), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """The number of samples that the edit changed."""
        return len(self._rows(samples))

    def _rows(self, samples: Listed) -> list[int]:
        touched = touched_by(samples)
        if self.edit not in touched:
            if not touched:
                raise ForgetError(
                    f"{self.name!r} forgets what an edit touched, and the data has no edits: "
                    f"add [data.edits.{self.edit}] to the recipe"
                )
            raise ForgetError(unknown("edit of the data", self.edit, touched))
        chosen = set(touched[self.edit])
        return [row for row, name in enumerate(samples.ids) if name in chosen]


def by_edit(edit: str) -> ByEdit:
    """Forget the samples that the edit called `edit` changed.

    >>> by_edit("badnets").name
    'edited:badnets'

    Raises:
        ConfigError: no edit is named.
    """
    return ByEdit(edit)
