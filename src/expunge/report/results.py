"""The results document: reading it, and refusing one that the report could misread."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from expunge.digest import KEY, without_digest
from expunge.errors import ConfigError, DataError, some
from expunge.published import LARGEST, published_from
from expunge.report.generation import check_images
from expunge.report.study import study_of
from expunge.report.trojan_pictures import check_pictures
from expunge.statistics.claims import claim_from

SCHEMA = 2
"""The version of the document; documents of version 1 are read as well."""

BINS = 20
"""Equal bins of true-class probability in a stored distribution of confidence."""

_TOP = {
    "title": str,
    "makers": list,
    "metrics": dict,
    "settings": dict,
    "reproduce": str,
    "cells": list,
}
_CELL = {
    "scenario": str,
    "pruner": str,
    "sparsity": float,
    "method": str,
    "seed": int,
    "config": dict,
    "metrics": dict,
    "gap": (dict, None),
    "rte_s": (float, None),
    "run": str,
    "made_by": int,
}
_OPTIONAL = {
    "of": (str, None),
    "title": (str, None),
    "forgets": (str, None),
    "gap_reason": (str, None),
    "gap_note": (str, None),
    "gap_dense": (dict, None),
    "attacks": (dict, None),
    "chosen_by": (str, None),
    "confidence": (dict, None),
    "group_accuracy": (dict, None),
    "sparsity_at": (dict, None),
    "reasons": (dict, None),
    "failed": (str, None),
    "notes": (list, None),
    "draws": (dict, None),
    "samples": (dict, None),
}
_RECIPE = {"name": str, "scale": str, "only": (str, None), "digest": str}
"""What a document says of the recipe that it was made from, where it was."""
_SEARCH = {
    "method": str,
    "scenario": str,
    "pruner": str,
    "sparsity": float,
    "objective": str,
    "searched": dict,
    "value": float,
    "trials": list,
    "at_end": list,
    "seed": int,
}
_DRAWS = {
    "n": int,
    **dict.fromkeys(("mean", "deviation", "standard_error", "median", "p5", "p95"), float),
    "agree": bool,
}
_METRICS = ("ua", "ra", "ta", "mia_efficacy", "mia_privacy")
"""What documents of version 1 hold, which do not say what was measured."""
_COMPARED = ("ua", "ra", "ta", "mia_efficacy")
_PARTS = ("forget", "retain", "test")
_KINDS = {
    bool: "true or false",
    str: "text",
    dict: "an object",
    list: "a list",
    float: "a number",
    int: "an integer",
}


def load_results(path: Path | str) -> dict[str, Any]:
    """Read and check a `results.json`.

    Raises:
        DataError: the file is missing or not JSON, or the document does not fit the schema.
    """
    path = Path(path)
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read results {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    try:
        return check_results(_whole(results, str(path)), str(path))
    except RecursionError:
        raise DataError(f"{path}: its values are nested too deeply") from None


def check_results(results: object, source: str = "results") -> dict[str, Any]:
    """The document if it fits the schema, one of version 1 as version 2; `source` names it.

    Raises:
        DataError: names the place, what was expected and what came.
    """
    if not isinstance(results, dict):
        raise DataError(f"{source}: expected an object with schema {SCHEMA}, got {_kind(results)}")
    if (study := study_of(results)) is not None:
        raise DataError(
            f"{source}: expected results of expunge bench, got those of expunge {study}, which "
            "makes their report"
        )
    if results.get("schema") == 1 and not isinstance(results["schema"], bool):
        results = _upgraded(results, source)
    if isinstance(results.get("schema"), bool) or results.get("schema") != SCHEMA:
        raise DataError(
            f"{source}: expected schema 1 or {SCHEMA}, got {results.get('schema')!r}: "
            "measure again with this version of expunge"
        )
    _check_finite(results, source)
    _check_fields(results, _TOP, source)
    _check_metrics(results["metrics"], source)
    for index, maker in enumerate(results["makers"]):
        if not isinstance(maker, dict):
            raise DataError(f"{source}: maker {index}: expected an object, got {_kind(maker)}")
    _check_claims(results["settings"], source)
    _check_published(results["settings"], source)
    if "recipe" in results:
        _check_fields(results, {"recipe": dict}, source)
        _check_fields(results["recipe"], _RECIPE, f"{source}: recipe")
    check_pictures(results.get("pictures", []), source)
    check_images(results.get("images", []), source)
    _check_searches(results.get("searches", []), source)
    if not results["cells"]:
        raise DataError(f"{source}: cells is empty: there is nothing to report")
    not_asked = _not_asked(results["cells"], results["metrics"])
    seen: dict[tuple[object, ...], int] = {}
    called: dict[tuple[str, str], tuple[object, ...]] = {}
    for index, cell in enumerate(results["cells"]):
        place = f"{source}: cell {index}"
        lacks = not_asked.get(str(cell.get("scenario")), set()) if isinstance(cell, dict) else ()
        declared = {
            name: results["metrics"][name] for name in results["metrics"] if name not in lacks
        }
        _check_cell(cell, declared, place)
        key = tuple(cell[name] for name in ("scenario", "pruner", "sparsity", "method", "seed"))
        if key in seen:
            raise DataError(
                f"{place} repeats cell {seen[key]}: one cell for each scenario, pruner, sparsity, "
                f"method and seed, got {key!r} twice"
            )
        name = (cell.get("of"), cell.get("title"))
        if called.setdefault((cell["scenario"], cell["method"]), name) != name:
            raise DataError(
                f"{place}: method {cell['method']!r} stands for something else than in the cells "
                "before: expected the same of and title in all of a scenario"
            )
        if not 0 <= cell["made_by"] < len(results["makers"]):
            raise DataError(
                f"{place}: made_by must be in 0..{len(results['makers']) - 1}, "
                f"got {cell['made_by']!r}"
            )
        seen[key] = index
    return results


def _whole(results: object, source: str) -> object:
    """The document without its digest.

    Raises:
        DataError: it has changed since it was measured.
    """
    try:
        return without_digest(results) if isinstance(results, dict) else results
    except ValueError:
        raise DataError(
            f"{source} has changed since it was measured: measure it again, or take out its "
            f'"{KEY}" to report it as it is'
        ) from None


def _check_claims(settings: Mapping[str, Any], source: str) -> None:
    """The claims that a recipe names, where it names any."""
    claims = settings.get("claims", [])
    if not isinstance(claims, list):
        raise DataError(f"{source}: settings: claims must be a list, got {_kind(claims)}")
    for claim in claims:
        try:
            claim_from(claim)
        except ConfigError as error:
            raise DataError(f"{source}: settings: claims: {error}") from None


def _check_searches(searches: object, source: str) -> None:
    """The searches that chose settings, where there were any."""
    if not isinstance(searches, list):
        raise DataError(f"{source}: searches must be a list, got {_kind(searches)}")
    for index, search in enumerate(searches):
        place = f"{source}: search {index}"
        if not isinstance(search, dict):
            raise DataError(f"{place}: expected an object, got {_kind(search)}")
        _check_fields(search, _SEARCH, place)
        _check_fields(
            search["searched"], dict.fromkeys(search["searched"], float), f"{place}: searched"
        )
        for number, trial in enumerate(search["trials"]):
            if not isinstance(trial, dict):
                raise DataError(f"{place}: trial {number}: expected an object, got {_kind(trial)}")
        if not all(isinstance(name, str) for name in search["at_end"]):
            raise DataError(f"{place}: at_end must be a list of texts")


def _check_published(settings: Mapping[str, Any], source: str) -> None:
    """The published values that a recipe named, where it named any."""
    cells = settings.get("published", [])
    if not isinstance(cells, list):
        raise DataError(f"{source}: settings: published must be a list, got {_kind(cells)}")
    try:
        for index, cell in enumerate(cells, start=1):
            published_from(cell, f"published {index}")
    except ConfigError as error:
        raise DataError(f"{source}: settings: {error}") from None


def zeros(cell: Mapping[str, Any]) -> float | None:
    """The share of the counted weights that are zero in a cell's model; None where unknown."""
    found: float | None = (cell.get("sparsity_at") or {}).get("0")
    return found


def _upgraded(results: dict[str, Any], source: str) -> dict[str, Any]:
    """A document of version 1 as one of version 2: one maker, and sparsity among thresholds."""
    _check_fields(results, {"env": dict, "cells": list}, source)
    cells = []
    for index, cell in enumerate(results["cells"]):
        if not isinstance(cell, dict):
            raise DataError(f"{source}: cell {index}: expected an object, got {_kind(cell)}")
        _check_fields(cell, {"sparsity_measured": (float, None)}, f"{source}: cell {index}")
        rest = {name: value for name, value in cell.items() if name != "sparsity_measured"}
        share = cell["sparsity_measured"]
        at = {**(cell.get("sparsity_at") or {}), **({} if share is None else {"0": share})}
        cells.append({**rest, "sparsity_at": at, "made_by": 0})
    rest = {name: value for name, value in results.items() if name != "env"}
    return {**rest, "schema": SCHEMA, "makers": [results["env"]], "metrics": {}, "cells": cells}


def _check_metrics(metrics: dict[str, Any], source: str) -> None:
    """What a document says of its metrics: a title, a unit, and whether the gap is over it."""
    _check_fields(metrics, dict.fromkeys(metrics, dict), f"{source}: metrics")
    for name, said in metrics.items():
        _check_fields(
            said, {"title": str, "unit": str, "compared": bool}, f"{source}: metrics: {name}"
        )


def _not_asked(cells: list[Any], declared: Mapping[str, Any]) -> dict[str, set[str]]:
    """By scenario, the declared metrics that none of its cells has, and those of another do.

    So it is where several documents were joined.
    """
    there: dict[str, set[str]] = {}
    for cell in cells:
        if isinstance(cell, dict) and isinstance(cell.get("scenario"), str):
            names = {*cell, *(cell["metrics"] if isinstance(cell.get("metrics"), dict) else ())}
            there.setdefault(cell["scenario"], set()).update(names)
    somewhere = declared.keys() & set().union(*there.values())
    return {scenario: somewhere - names for scenario, names in there.items()}


def _check_cell(cell: object, declared: dict[str, Any], place: str) -> None:
    if not isinstance(cell, dict):
        raise DataError(f"{place}: expected an object, got {_kind(cell)}")
    _check_fields(cell, _CELL, place)
    _check_fields(dict.fromkeys(_OPTIONAL) | cell, _OPTIONAL, place)
    if not 0 <= cell["sparsity"] <= 1:
        raise DataError(f"{place}: sparsity must be in 0..1, got {cell['sparsity']!r}")
    # Details stand beside the metrics, under names of their own.
    measured = tuple(name for name in declared if name not in cell) if declared else _METRICS
    _check_numbers(cell["metrics"], measured, f"{place}: metrics")
    compared = tuple(name for name, said in declared.items() if said["compared"]) or _COMPARED
    for name in ("gap", "gap_dense"):
        if cell.get(name) is not None:
            _check_numbers(cell[name], (*compared, "avg"), f"{place}: {name}")
    _check_numbers(cell.get("sparsity_at") or {}, (), f"{place}: sparsity_at")
    reasons = cell.get("reasons") or {}
    _check_fields(reasons, dict.fromkeys(reasons, str), f"{place}: reasons")
    draws = cell.get("draws") or {}
    _check_fields(draws, dict.fromkeys(draws, dict), f"{place}: draws")
    for name, found in draws.items():
        _check_fields(found, _DRAWS, f"{place}: draws: {name}")
    samples = cell.get("samples") or {}
    _check_fields(samples, dict.fromkeys(samples, dict), f"{place}: samples")
    for name, found in samples.items():
        _check_fields(found, {"count": int, "n": int}, f"{place}: samples: {name}")
        _check_numbers(found, (), f"{place}: samples: {name}")
    attacks = cell.get("attacks") or {}
    _check_fields(attacks, dict.fromkeys(attacks, dict), f"{place}: attacks")
    for name, found in attacks.items():
        _check_numbers(found, (), f"{place}: attacks: {name}")
    groups = cell.get("group_accuracy") or {}
    _check_fields(groups, dict.fromkeys(groups, dict), f"{place}: group_accuracy")
    for name, found in groups.items():
        _check_numbers(found, (), f"{place}: group_accuracy: {name}")
    if cell.get("confidence") is not None:
        _check_confidence(cell["confidence"], f"{place}: confidence")


def _check_confidence(confidence: dict[str, Any], place: str) -> None:
    _check_fields(confidence, {"before": dict, "after": dict}, place)
    for when in ("before", "after"):
        _check_fields(confidence[when], dict.fromkeys(_PARTS, list), f"{place}: {when}")
        for part in _PARTS:
            shares = confidence[when][part]
            if len(shares) != BINS or not all(_fits(share, float) for share in shares):
                raise DataError(f"{place}: {when}: {part} must be a list of {BINS} numbers")


def _check_numbers(values: dict[str, Any], required: tuple[str, ...], place: str) -> None:
    """Every value a number or null, so that measures of the future pass too."""
    _check_fields(values, dict.fromkeys((*required, *values), (float, None)), place)


def _check_fields(values: dict[str, Any], fields: dict[str, Any], place: str) -> None:
    missing = [name for name in fields if name not in values]
    if missing:
        raise DataError(f"{place}: missing {some(missing)}")
    for name, kinds in fields.items():
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        if not any(_fits(values[name], kind) for kind in allowed):
            expected = " or ".join("null" if kind is None else _KINDS[kind] for kind in allowed)
            raise DataError(f"{place}: {name} must be {expected}, got {_kind(values[name])}")


def _fits(value: object, kind: type | None) -> bool:
    if kind is None:
        return value is None
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return next((word for kind, word in _KINDS.items() if isinstance(value, kind)), repr(value))


def _check_finite(value: object, source: str) -> None:
    for place, number in _numbers(value, ""):
        if isinstance(number, float) and not math.isfinite(number):
            raise DataError(f"{source}: {place} is not a finite number; write null and a reason")
        if abs(number) > LARGEST:
            raise DataError(f"{source}: {place} is beyond ±{LARGEST:g}; write null and a reason")


def _numbers(value: object, place: str) -> Iterator[tuple[str, int | float]]:
    """Every number in the document with the path that leads to it."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(item, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{place}[{index}]")
    elif isinstance(value, int | float):
        yield place, value
