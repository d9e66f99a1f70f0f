"""Forget the samples that a data edit changed, such as poisoned or mislabelled ones."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError, ForgetError, unknown
from expunge.scenarios.base import Parsed, touched_by
from expunge.settings import check_range, derive_seed

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByEdit(Parsed):
    """The training samples that an edit changed, or a share of them that is drawn.

    Raises:
        ConfigError: no edit is named, or the share is not in 0..1, 0 excluded.
    """

    edit: str
    """The edit's name, such as `badnets`."""
    share: float = 1.0
    """Fraction of the changed samples; by one seed, a smaller share is a part of a larger one."""
    seed: int = 0
    """Seed of the draw."""

    def __post_init__(self) -> None:
        if not self.edit:
            raise ConfigError("by_edit needs the name of an edit, such as badnets")
        check_range("the share of an edit", self.share, 0, 1)
        if self.share == 0:
            raise ConfigError(f"the share of an edit must be above 0, got {self.share!r}")

    @property
    def name(self) -> str:
        """The text form, for example `edited:badnets` or `edited:badnets:0.5`, without the seed."""
        return f"edited:{self.edit}" + ("" if self.share == 1 else f":{self.share}")

    @property
    def identity(self) -> dict[str, Any]:
        """The seed of the draw, if there is one."""
        return {} if self.share == 1 else {"seed": self.seed}

    def undecided(self, pending: Collection[str]) -> bool:
        """Whether the edit is still to be made."""
        return self.edit in pending

    def check_edits(self, edits: Collection[str]) -> None:
        """Refuse data without the edit.

        Raises:
            ForgetError: it is not there; names those that are.
        """
        if self.edit in edits:
            return
        if not edits:
            raise ForgetError(
                f"{self.name!r} forgets what an edit touched, and the data has no edits: "
                f"add [data.edits.{self.edit}] to the recipe"
            )
        raise ForgetError(unknown("edit of the data", self.edit, edits))

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The samples that the edit changed, or the share that is drawn; no classes.

        Raises:
            ForgetError: the data has no such edit.
        """
        import numpy as np

        rows = np.array(self._rows(samples), dtype=np.int64)
        if self.share < 1:
            draw = np.random.default_rng(derive_seed(self.seed, f"share of {self.edit}"))
            rows = np.sort(draw.permutation(rows)[: self.count(samples)])
        return rows, ()

    def count(self, samples: Listed) -> int:
        """`round(share * N)` of the N samples that the edit changed."""
        return round(self.share * len(self._rows(samples)))

    def _rows(self, samples: Listed) -> list[int]:
        touched = touched_by(samples)
        self.check_edits(touched)
        chosen = set(touched[self.edit])
        return [row for row, name in enumerate(samples.ids) if name in chosen]


def by_edit(edit: str, share: float = 1.0, seed: int = 0) -> ByEdit:
    """Forget the samples that the edit called `edit` changed, or a share of them that is drawn.

    >>> by_edit("badnets").name
    'edited:badnets'

    Raises:
        ConfigError: no edit is named, or the share is not in 0..1, 0 excluded.
    """
    return ByEdit(edit, share, seed)
