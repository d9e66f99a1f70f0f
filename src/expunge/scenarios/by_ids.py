"""Forget samples by id, from a deletion list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.data.by_id import ids_digest
from expunge.errors import ForgetError, some
from expunge.scenarios.base import Parsed, plain
from expunge.scenarios.id_file import read_ids

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByIds(Parsed):
    """The samples with these ids.

    Raises:
        ForgetError: no ids are given, or one is not a text.
    """

    ids: tuple[str, ...] = field(repr=False)
    """Ids of training samples, each once."""
    source: str
    """The source of the ids: a file, or the number of ids given."""

    def __post_init__(self) -> None:
        if not self.ids:
            raise ForgetError("the list of ids to forget is empty: expected at least one id")
        others = [given for given in self.ids if not isinstance(given, str)]
        if others:
            raise ForgetError(f"ids must be texts, got {some(map(repr, others))}")

    @property
    def name(self) -> str:
        """The text form, for example `ids:deletions.csv`."""
        return f"ids:{self.source}"

    @property
    def identity(self) -> dict[str, Any]:
        """The digest of the ids, in whatever order."""
        return {"scenario": "ids", "ids": ids_digest(self.ids)}

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The samples with these ids; no classes.

        Raises:
            ForgetError: an id is not in the training data, or is repeated.
        """
        import numpy as np

        return np.array(self._rows(samples), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """The number of ids; each must belong to a sample."""
        return len(self._rows(samples))

    def check(self, samples: Listed, others: Mapping[str, Collection[str]]) -> None:
        """Refuse ids that are not those of samples, each once.

        `others` are ids of which more is known, by what is said of them: `are test samples`.

        Raises:
            ForgetError: names all such ids.
        """
        there, counts = set(samples.ids), Counter(self.ids)
        absent = [name for name in counts if name not in there]
        faults = {what: [*filter(set(ids).__contains__, absent)] for what, ids in others.items()}
        known = {name for names in faults.values() for name in names}
        strange = [name for name in absent if name not in known]
        faults["are not in the training data"] = strange
        faults["are given more than once"] = [name for name, count in counts.items() if count > 1]
        problems = [f"{len(ids)} {what} ({some(ids)})" for what, ids in faults.items() if ids]
        if problems:
            raise ForgetError(
                f"of the {len(self.ids)} ids in {self.source!r}, {' and '.join(problems)}: "
                f"expected ids of training samples, each once{self._hint(strange)}"
            )

    def _rows(self, samples: Listed) -> list[int]:
        self.check(samples, {})
        row = {name: index for index, name in enumerate(samples.ids)}
        return sorted(row[name] for name in self.ids)

    def _hint(self, strange: list[str]) -> str:
        """Advice if the first line of a CSV file is not an id."""
        if strange[:1] == list(self.ids[:1]) and self.source.lower().endswith(".csv"):
            return f"; if {strange[0]!r} is the name of a column, call the column of ids 'id'"
        return ""


def by_ids(ids: str | Path | Iterable[str | int]) -> ByIds:
    """Forget the samples with these ids: a list of them, or the path of a file that lists them.

    A string is a path. The file is read now, so that later changes to it do not change the
    scenario. Whole numbers are ids as text.

    >>> by_ids(["img-1", "img-7"]).name
    'ids:2 given'

    Raises:
        ForgetError: the file cannot be read, or no ids are given.
    """
    if isinstance(ids, str | Path):
        try:
            path = Path(ids).expanduser()
        except RuntimeError as error:  # no such user, or no home directory
            raise ForgetError(f"cannot read the ids in {ids}: {error}") from None
        return ByIds(read_ids(path), str(ids))
    given = tuple(map(as_id, ids))
    return ByIds(given, f"{len(given)} given")


def as_id(value: Any) -> Any:
    """The text of a whole number, also of NumPy or PyTorch; anything else unchanged."""
    found = plain(value)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else found
