"""Unlearned models against retrained ones, by logits and margins that were computed elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from expunge.errors import DataError, some, unknown
from expunge.metrics import get_metric
from expunge.metrics.evidence import Evidence
from expunge.metrics.klom import POPULATIONS, Margins, check_enough, margins_of
from expunge.metrics.metric import measure
from expunge.statistics.intervals import Interval, over_seeds
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
    layout_of,
)

FOLDERS = dict(zip(POPULATIONS, (FORGET, RETAIN, VALIDATION), strict=True))
"""By population, its name in the layout."""
_METRICS = {"ua": "forget", "ra": "retain", "ta": "validation"}
_ALL = slice(None)

Kept = npt.NDArray[np.bool_] | slice
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Case:
    """One forget set of one data set and network."""

    data: str
    network: str
    forget_set: str

    def place(self, role: str, population: str) -> Place:
        """Where the outputs of a role on a population lie."""
        name = FOLDERS[population]
        shared = role == ORIGINAL and population != "forget"
        return Place(self.data, self.network, role, "" if shared else self.forget_set, name)


def compare(folder: Path, forget_set: str | None = None, seed: int = 0) -> dict[str, Any]:
    """KLOM and accuracies of every set of models in a folder, beside retrained ones.

    `read` counts files, `left_out` says what was not read, and `compared` has an entry for each
    data set, network, forget set and method; the models before unlearning are the method
    `pretrain`. Each has `klom`, or null and `klom_reason`, and `metrics`, `gap` and `gap_floor`
    over models with intervals, or null and `metrics_reason`. `forget_set` asks for one alone.

    Raises:
        DataError: nothing can be compared, a file is damaged, or outputs do not fit together.
    """
    layout = layout_of(folder)
    cases = sorted(
        {(each.data, each.network, each.forget_set) for each in layout.places() if each.forget_set}
    )
    if forget_set is not None:
        names = sorted({name for *_, name in cases})
        wanted = f"forget_{forget_set.removeprefix('forget_')}"
        if wanted not in names:
            raise DataError(f"{folder}: {unknown('forget set', forget_set, names)}")
        cases = [each for each in cases if each[2] == wanted]
    reader = _Reader(layout)
    compared: list[dict[str, Any]] = []
    for case in (_Case(*each) for each in cases):
        compared += _of_case(reader, case, seed)
    if not any(each["klom"] or each["metrics"] for each in compared):
        reasons = [each["klom_reason"] for each in compared]
        raise DataError(f"{folder}: {reasons[0] if reasons else 'there is no forget set'}")
    return {
        "folder": str(folder),
        "read": reader.count,
        "left_out": layout.left_out,
        "compared": compared,
    }


def _of_case(reader: _Reader, case: _Case, seed: int) -> list[dict[str, Any]]:
    """Every method of a forget set, the models before unlearning first."""
    roles = {
        place.role
        for place in reader.layout.places()
        if (place.data, place.network) == (case.data, case.network)
        and place.forget_set in ("", case.forget_set)
    }
    methods = sorted(roles - {RETRAINED}, key=lambda role: (role != ORIGINAL, role))
    found = []
    for method in methods:
        klom, klom_reason, models, samples = _klom(reader, case, method, seed)
        accuracies, reason = _accuracies(reader, case, method)
        found.append(
            {
                "data": case.data,
                "network": case.network,
                "forget_set": case.forget_set,
                "method": method,
                "models": models,
                "samples": samples,
                "klom": klom,
                "klom_reason": klom_reason,
                **accuracies,
                "metrics_reason": reason,
            }
        )
    return found


def _klom(
    reader: _Reader, case: _Case, method: str, seed: int
) -> tuple[dict[str, Any] | None, str | None, dict[str, Any], dict[str, int]]:
    """KLOM by population, or why there is none; models on each side, and samples."""
    models: dict[str, Any] = {}
    margins: dict[str, Margins] = {}
    reasons: list[str] = []
    for name in POPULATIONS:
        places = [case.place(role, name) for role in (method, RETRAINED)]
        counts = [len(reader.layout.models(place)) for place in places]
        models[name] = dict(zip(("unlearned", "retrained"), counts, strict=True))
        try:
            for side, count in models[name].items():
                check_enough(f"{side} ({method}, {case.forget_set}, {name})", count)
        except DataError as error:
            reasons.append(str(error))
            continue
        sides = [reader.margins(case, role, name) for role in (method, RETRAINED)]
        if why := next((side for side in sides if isinstance(side, str)), None):
            reasons.append(why)
            continue
        one, other = (side for side in sides if not isinstance(side, str))
        if one.shape[1] != other.shape[1]:
            raise DataError(
                f"{_named(places[0])} is of {one.shape[1]} samples, {_named(places[1])} of "
                f"{other.shape[1]}: expected the same samples"
            )
        margins[name] = Margins(one, other)
    samples = {name: each.retrained.shape[1] for name, each in margins.items()}
    if not margins:
        return None, reasons[0], models, samples
    value = measure(get_metric("klom"), Evidence(margins=margins, seed=seed)).value
    assert isinstance(value, dict)
    return value, "; ".join(reasons) or None, models, samples


def _accuracies(reader: _Reader, case: _Case, method: str) -> tuple[dict[str, Any], str | None]:
    """UA, RA, TA and their gap, means over models with intervals; else null and why."""
    nothing = {"metrics": None, "gap": None, "gap_floor": None}
    values: dict[str, dict[str, dict[int, float]]] = {}
    for side, role in (("unlearned", method), ("retrained", RETRAINED)):
        values[side] = {}
        for metric, population in _METRICS.items():
            right = reader.accuracy(case, role, population)
            if isinstance(right, str):
                return nothing, right
            values[side][metric] = (
                {model: 100 - each for model, each in right.items()} if metric == "ua" else right
            )
    retrained = values["retrained"]
    # Models of a number have nothing in common, so the floor pairs any two retrained ones.
    numbers = sorted(set.intersection(*(set(of) for of in retrained.values())))
    half = len(numbers) // 2
    again = dict(zip(numbers[:half], numbers[half : 2 * half], strict=True))
    floor = _gaps(
        {metric: {one: of[one] for one in again} for metric, of in retrained.items()},
        {metric: {one: of[other] for one, other in again.items()}
         for metric, of in retrained.items()},
    )  # fmt: skip
    metrics = {
        metric: {side: _interval(of[metric]) for side, of in values.items()} for metric in _METRICS
    }
    gap = _interval(_gaps(values["unlearned"], retrained))
    return {"metrics": metrics, "gap": gap, "gap_floor": _interval(floor)}, None


def _gaps(
    one: Mapping[str, Mapping[int, float]], other: Mapping[str, Mapping[int, float]]
) -> dict[int, float]:
    """By model, the mean absolute difference of UA, RA and TA."""
    common = set.intersection(*(set(of) for of in (*one.values(), *other.values())))
    return {
        model: sum(abs(one[name][model] - other[name][model]) for name in one) / len(one)
        for model in sorted(common)
    }


def _interval(values: Mapping[int, float]) -> dict[str, Any] | None:
    """A mean over models with its t-interval, as JSON; None without any."""
    if not values:
        return None
    found = over_seeds(values)
    if found is None:
        (value,) = values.values()
        found = Interval(value, -np.inf, np.inf, 1)
    low, high = found.bounds
    return {"mean": found.estimate, "low": low, "high": high, "n": found.n}


class _Reader:
    """Reads and counts; of a wrong file it names the place."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.count = {MARGINS: 0, LOGITS: 0}
        self._kept: dict[tuple[_Case, str, str, str], Any] = {}

    def margins(self, case: _Case, role: str, population: str) -> Any:
        """The margins `(models, samples)` of a role on a population, or why there are none.

        Of models that have logits alone, they are computed by the labels.
        """
        return self._once(case, role, population, self._margins)

    def accuracy(self, case: _Case, role: str, population: str) -> dict[int, float] | str:
        """By model, the share of samples that it gets right, in percent, or why there is none."""
        found: dict[int, float] | str = self._once(case, role, population, self._accuracy)
        return found

    def _once(
        self, case: _Case, role: str, population: str, read: Callable[[_Case, str, str], Any]
    ) -> Any:
        """Retrained models are compared with every method; one forget set is kept at a time."""
        key = (case, role, population, read.__name__)
        if role != RETRAINED:
            return read(case, role, population)
        if key not in self._kept:
            self._kept = {each: of for each, of in self._kept.items() if each[0] == case}
            self._kept[key] = read(case, role, population)
        return self._kept[key]

    def _margins(self, case: _Case, role: str, population: str) -> npt.NDArray[np.float32] | str:
        place = case.place(role, population)
        with_margins = self.layout.files[MARGINS].get(place, {})
        rows: list[npt.NDArray[np.float32]] = []
        labels: Labels | str | None = None
        for model in sorted(self.layout.models(place)):
            if model in with_margins:
                row = margins_in(with_margins[model])
                self.count[MARGINS] += 1
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
            raise DataError(
                f"{_named(place)}: expected as many samples of each model, got {some(lengths)}"
            )
        kept = self._retained(case, lengths[0]) if _is_whole(role, population) else _ALL
        if isinstance(kept, str):
            return kept
        return np.stack(rows)[:, kept]

    def _accuracy(self, case: _Case, role: str, population: str) -> dict[int, float] | str:
        place = case.place(role, population)
        files = self.layout.files[LOGITS].get(place, {})
        if not files:
            return f"there are no logits of {_named(place)}, and margins do not give accuracies"
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
        self.count[LOGITS] += 1
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

    def _labels(self, case: _Case, role: str, population: str) -> Labels | str:
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

    def _retained(self, case: _Case, total: int) -> Kept | str:
        """Which of all training samples are retained."""
        index = self._forgotten(case)
        if isinstance(index, str):
            return index
        _check_inside(index, total, case)
        kept = np.ones(total, dtype=np.bool_)
        kept[index] = False
        return kept

    def _forgotten(self, case: _Case) -> Labels | str:
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


def _check_inside(index: Labels, total: int, case: _Case) -> None:
    if index.max() >= total:
        raise DataError(
            f"forget set {case.forget_set} of {case.data}: expected indices below {total}, got "
            f"{index.max()}"
        )


def _named(place: Place) -> str:
    parts = (place.data, place.role, place.forget_set, place.population, place.network)
    return "/".join(part for part in parts if part)
