"""Results as a tidy table in CSV: a row a cell and measure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from expunge.report.measures import measures_of
from expunge.report.results import check_results
from expunge.report.wording import ORIGINAL

LEFT_OUT = (
    *("of", "title", "forgets", "config", "chosen_by", "notes"),
    *("confidence", "draws", "samples", "pictures", "images", "searches"),
)
"""What a results document may hold besides, which is no single number, or no measure."""


class TidyRow(NamedTuple):
    """One measure of one cell."""

    scenario: str
    pruner: str
    sparsity: float
    """0-1, before unlearning."""
    method: str
    seed: int
    measure: str
    """A metric; `gap` (the mean gap), `gap.ua` and the like; `gap_dense` likewise; `rte_s`;
    `sparsity_at.THRESHOLD`; `attacks.NAME.MEASURE`; `group_accuracy.GROUP.CLASS`."""
    value: float | None
    unit: str
    reason: str
    """Why there is no value; empty where there is one."""


def to_csv(results: Mapping[str, Any]) -> str:
    """All measures of all cells as CSV with a header; an empty value has a reason.

    Raises:
        DataError: the document does not fit the schema.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TidyRow._fields)
    writer.writerows(tidy_rows(check_results(results)))
    return text.getvalue()


def tidy_rows(results: Mapping[str, Any]) -> Iterator[TidyRow]:
    """The rows of a checked document, in the order of its cells."""
    for cell in results["cells"]:
        for measure, value, unit, reason in _measures(cell, results["metrics"]):
            why = "" if value is not None else reason or "no reason is recorded"
            yield TidyRow(
                scenario=cell["scenario"],
                pruner=cell["pruner"],
                sparsity=cell["sparsity"],
                method=cell["method"],
                seed=cell["seed"],
                measure=measure,
                value=value,
                unit=unit,
                reason=why,
            )


_Measured = tuple[str, float | None, str, str]
"""Name, value, unit, and why there is no value."""


def _measures(cell: Mapping[str, Any], declared: Mapping[str, Any]) -> Iterator[_Measured]:
    failed, reasons = cell.get("failed") or "", cell.get("reasons") or {}
    units = {each.key: each.unit for each in measures_of(list(cell["metrics"]), declared)}
    for key, value in cell["metrics"].items():
        yield key, value, units[key], reasons.get(key, failed)
    yield from _gaps(cell, units, failed)
    untimed = "nothing was unlearned" if cell["method"] == ORIGINAL else "the run was not timed"
    yield "rte_s", cell["rte_s"], "s", failed or untimed
    for threshold, share in (cell.get("sparsity_at") or {}).items():
        yield f"sparsity_at.{threshold}", share, "fraction", failed
    for name in ("attacks", "group_accuracy"):
        for part, values in (cell.get(name) or {}).items():
            for key, value in values.items():
                yield f"{name}.{part}.{key}", value, "percent", failed


def _gaps(cell: Mapping[str, Any], units: Mapping[str, str], failed: str) -> Iterator[_Measured]:
    reason = cell.get("gap_reason") or failed
    for name in ("gap", "gap_dense"):
        gaps = cell.get(name)
        if gaps is None:
            # Of a document that has no gap to dense Retrain at all, there is nothing to say.
            if name == "gap" or name in cell:
                yield name, None, "points", reason
            continue
        for key, value in gaps.items():
            measure = name if key == "avg" else f"{name}.{key}"
            unit = units.get(key, "percent")
            yield measure, value, "points" if unit == "percent" else unit, reason
