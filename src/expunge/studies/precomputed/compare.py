"""Unlearned models against retrained ones, by logits and margins that were computed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from expunge.errors import DataError, unknown
from expunge.metrics import get_metric
from expunge.metrics.evidence import Evidence
from expunge.metrics.klom import POPULATIONS, Margins, check_enough
from expunge.metrics.metric import Value, measure
from expunge.statistics.intervals import Interval, over_seeds
from expunge.studies.precomputed.layout import ORIGINAL, RETRAINED, layout_of
from expunge.studies.precomputed.read import Case, Reader

_METRICS = {"ua": "forget", "ra": "retain", "ta": "validation"}


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
    reader = Reader(layout)
    compared: list[dict[str, Any]] = []
    for case in (Case(*each) for each in cases):
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


def _of_case(reader: Reader, case: Case, seed: int) -> list[dict[str, Any]]:
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
    reader: Reader, case: Case, method: str, seed: int
) -> tuple[Value, str | None, dict[str, Any], dict[str, int]]:
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
                f"{places[0]} is of {one.shape[1]} samples, {places[1]} of "
                f"{other.shape[1]}: expected the same samples"
            )
        margins[name] = Margins(one, other)
    samples = {name: each.retrained.shape[1] for name, each in margins.items()}
    if not margins:
        return None, reasons[0], models, samples
    found = measure(get_metric("klom"), Evidence(margins=margins, seed=seed))
    return found.value, "; ".join(reasons) or None, models, samples


def _accuracies(reader: Reader, case: Case, method: str) -> tuple[dict[str, Any], str | None]:
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
