"""Reads the outputs of a folder, place by place, and counts the files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from expunge.errors import DataError, some
from expunge.metrics.klom import POPULATIONS, margins_of
from expunge.studies.precomputed.arrays import integers_in, logits_in, margins_in
from expunge.studies.precomputed.layout import (
    FORGET,
    LOGITS,
    MARGINS,
    ORIGINAL,
    RETAIN,
    RETRAINED,
    VALIDATION,
    Layout,
    Place,
)

FOLDERS = dict(zip(POPULATIONS, (FORGET, RETAIN, VALIDATION), strict=True))
"""By population, its name in the layout."""
_ALL = slice(None)

Kept = npt.NDArray[np.bool_] | slice
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """One forget set of one data set and network."""

    data: str
    network: str
    forget_set: str

    def place(self, role: str, population: str) -> Place:
        """Where the outputs of a role on a population lie."""
        name = FOLDERS[population]
        shared = role == ORIGINAL and population != "forget"
        return Place(self.data, self.network, role, "" if shared else self.forget_set, name)


class Reader:
    """Reads and counts; of a wrong file it names the place."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._read: dict[str, set[Path]] = {MARGINS: set(), LOGITS: set()}
        self._kept: dict[tuple[Case, str, str, str], Any] = {}

    @property
    def count(self) -> dict[str, int]:
        """How many files of each kind were read, each counted once."""
        return {kind: len(paths) for kind, paths in self._read.items()}

    def margins(self, case: Case, role: str, population: str) -> Any:
        """The margins `(models, samples)` of a role on a population, or why there are none.

        Of models that have logits alone, they are computed by the labels.
        """
        return self._once(case, role, population, self._margins)

    def accuracy(self, case: Case, role: str, population: str) -> dict[int, float] | str:
        """By model, the share of samples that it gets right, in percent, or why there is none."""
        found: dict[int, float] | str = self._once(case, role, population, self._accuracy)
        return found

    def _once(
        self, case: Case, role: str, population: str, read: Callable[[Case, str, str], Any]
    ) -> Any:
        """Retrained models are compared with every method; one forget set is kept at a time."""
        key = (case, role, population, read.__name__)
        if role != RETRAINED:
            return read(case, role, population)
        if key not in self._kept:
            self._kept = {each: of for each, of in self._kept.items() if each[0] == case}
            self._kept[key] = read(case, role, population)
        return self._kept[key]

    def _margins(self, case: Case, role: str, population: str) -> npt.NDArray[np.float32] | str:
        place = case.place(role, population)
        with_margins = self.layout.files[MARGINS].get(place, {})
        rows: list[npt.NDArray[np.float32]] = []
        labels: Labels | str | None = None
        for model in sorted(self.layout.models(place)):
            if model in with_margins:
                row = margins_in(with_margins[model])
                self._read[MARGINS].add(with_margins[model])
            else:
                if labels is None:
                    labels = self._labels(case, role, population)
                if isinstance(labels, str):
                    return labels
                path = self.layout.files[LOGITS][place][model]
                row = margins_of(self._logits(path, labels), labels).astype(np.float32)
            rows.append(row)
        lengths = sorted({len(row) for row in rows})
        if len(lengths) > 1:
            raise DataError(f"{place}: expected as many samples of each model, got {some(lengths)}")
        kept = self._retained(case, lengths[0]) if _is_whole(role, population) else _ALL
        if isinstance(kept, str):
            return kept
        return np.stack(rows)[:, kept]

    def _accuracy(self, case: Case, role: str, population: str) -> dict[int, float] | str:
        place = case.place(role, population)
        files = self.layout.files[LOGITS].get(place, {})
        if not files:
            return f"there are no logits of {place}, and margins do not give accuracies"
        labels = self._labels(case, role, population)
        if isinstance(labels, str):
            return labels
        kept = self._retained(case, len(labels)) if _is_whole(role, population) else _ALL
        if isinstance(kept, str):
            return kept
        found = {}
        for model, path in sorted(files.items()):
            right = self._logits(path, labels).argmax(axis=1) == labels
            found[model] = 100 * float(right[kept].mean())
        return found

    def _logits(self, path: Path, labels: Labels) -> npt.NDArray[np.float32]:
        logits = logits_in(path)
        self._read[LOGITS].add(path)
        if len(logits) != len(labels):
            raise DataError(
                f"{path}: expected {len(labels)} samples, as labelled, got {len(logits)}"
            )
        if labels.max() >= logits.shape[1]:
            raise DataError(
                f"{path}: expected logits of {labels.max() + 1} or more classes, as labelled, got "
                f"{logits.shape[1]}"
            )
        return logits

    def _labels(self, case: Case, role: str, population: str) -> Labels | str:
        """The labels of the samples that a place is of, or why there are none."""
        name = "val" if population == "validation" else "train"
        path = self.layout.other("labels", case.data, name)
        if path is None:
            return f"there are no labels: labels/{case.data}/{name}.npy is not there"
        labels = integers_in(path, "labels")
        if population == "validation" or _is_whole(role, population):
            return labels
        index = self._forgotten(case)
        if isinstance(index, str):
            return index
        _check_inside(index, len(labels), case)
        if population == "forget":
            return labels[index]
        return np.delete(labels, index)

    def _retained(self, case: Case, total: int) -> Kept | str:
        """Which of all training samples are retained."""
        index = self._forgotten(case)
        if isinstance(index, str):
            return index
        _check_inside(index, total, case)
        kept = np.ones(total, dtype=np.bool_)
        kept[index] = False
        return kept

    def _forgotten(self, case: Case) -> Labels | str:
        name = f"forget_set_{case.forget_set.removeprefix('forget_')}"
        path = self.layout.other("forget_sets", case.data, name)
        if path is None:
            return f"it is not said which samples to forget: forget_sets/{case.data}/{name}.npy"
        index = integers_in(path, "indices")
        if len(np.unique(index)) < len(index):
            raise DataError(f"{path}: an index is there twice")
        return index


def _is_whole(role: str, population: str) -> bool:
    """Whether what lies there is of all training samples, and not of the retained ones."""
    return role == ORIGINAL and population == "retain"


def _check_inside(index: Labels, total: int, case: Case) -> None:
    if index.max() >= total:
        raise DataError(
            f"forget set {case.forget_set} of {case.data}: expected indices below {total}, got "
            f"{index.max()}"
        )
