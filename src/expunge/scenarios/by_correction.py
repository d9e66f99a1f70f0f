"""Correct samples instead of deleting them: unlearn what is wrong while learning what is right."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.data.corrections import labels_digest, read_labels
from expunge.errors import ConfigError
from expunge.scenarios.base import Parsed
from expunge.scenarios.by_edit import ByEdit

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class ByCorrection(Parsed):
    """The training samples that an edit changed, or that a CSV file gives their right labels.

    Raises:
        ConfigError: neither is named.
    """

    source: str
    """The edit's name, such as `relabel`, or the file, whose name ends in `.csv`."""

    def __post_init__(self) -> None:
        if not self.source:
            raise ConfigError("by_correction needs the name of an edit or of a CSV file")

    @property
    def name(self) -> str:
        """The text form, for example `corrected:labels.csv`."""
        return f"corrected:{self.source}"

    @property
    def is_file(self) -> bool:
        """Whether the right labels are in a file."""
        return self.source.lower().endswith(".csv")

    @property
    def identity(self) -> dict[str, Any]:
        """The digest of the labels in the file, if it is one.

        Raises:
            DataError: the file cannot be read.
        """
        if not self.is_file:
            return {}
        return {"scenario": "corrected", "labels": labels_digest(self.source)}

    def undecided(self, pending: Collection[str]) -> bool:
        """Whether the edit is still to be made, or any that may change labels before the file."""
        return bool(pending) if self.is_file else self.source in pending

    def check_edits(self, edits: Collection[str]) -> None:
        """Refuse data without the edit.

        Raises:
            ForgetError: it is not there; names those that are.
        """
        if not self.is_file:
            ByEdit(self.source).check_edits(edits)

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The samples to correct, those whose label the file changes; no classes.

        Raises:
            ForgetError: the data have no such edit.
            DataError: the file cannot be read, or does not fit the samples.
        """
        import numpy as np

        if not self.is_file:
            return ByEdit(self.source).select(samples)
        return np.array(self._rows(samples), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """The number of samples to correct."""
        if not self.is_file:
            return ByEdit(self.source).count(samples)
        return len(self._rows(samples))

    def _rows(self, samples: Listed) -> list[int]:
        labels = samples.labels
        had = labels if isinstance(labels, tuple) else labels.tolist()
        right = read_labels(self.source, samples.ids, had, samples.class_names)
        return [row for row, name in enumerate(samples.ids) if name in right]


def by_correction(source: str) -> ByCorrection:
    """Correct the samples that an edit changed, or that a CSV file gives their right labels.

    >>> by_correction("labels.csv").name
    'corrected:labels.csv'

    Raises:
        ConfigError: neither is named.
    """
    return ByCorrection(source)


def corrects(scenario: str) -> bool:
    """Whether a scenario's text names samples that are corrected instead of deleted.

    >>> corrects("corrected:labels.csv"), corrects("edited:relabel")
    (True, False)
    """
    return scenario.startswith("corrected:")
