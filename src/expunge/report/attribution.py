"""The attribution study as tables: claims, scores, weights, memorised samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from expunge.errors import DataError
from expunge.report.attribution_figures import CEILING, RULES, scenarios
from expunge.report.claims_table import claims_table
from expunge.report.study import read_study
from expunge.report.text import TextTable
from expunge.report.wording import MISSING, scenario_label

SCHEMA = 1
"""The version of the document that this module reads."""
_MEASURES = {"ua": "UA", "ra": "RA", "ta": "TA", "asr": "ASR"}


def load_attribution(path: Path) -> dict[str, Any]:
    """Read and check an `attribution.json`.

    Raises:
        DataError: it is missing, is not JSON, or does not hold what is shown.
    """
    document = read_study(path, SCHEMA)
    summary = document.get("summary")
    for name in ("lds", "weights", "overlaps"):
        if not isinstance(summary, dict) or not isinstance(summary.get(name), list):
            raise DataError(f"{path}: summary.{name} is missing: measure it again")
    return document


def attribution_tables(document: Mapping[str, Any]) -> list[TextTable]:
    """Claims, the linear datamodelling score, model influence, overlaps and memorisation."""
    return [table for tables in tables_by_section(document).values() for table in tables]


def tables_by_section(document: Mapping[str, Any]) -> dict[str, list[TextTable]]:
    """The same tables by the heading that they stand under; without those that have no rows."""
    groups = scenarios(document)
    found = {
        "Claims": [_claims(document)],
        "Data influence": [_lds(document)],
        "Model influence": [
            *(_weights(document, scenario) for scenario in groups),
            *(_overlaps(document, scenario) for scenario in groups),
        ],
        "Memorised samples": [_memorised(document)],
    }
    return {heading: [table for table in tables if table.rows] for heading, tables in found.items()}


def _claims(document: Mapping[str, Any]) -> TextTable:
    table = claims_table(document["claims"])
    units = "Of scores, differences of correlations; of all else, percentage points."
    return replace(table, notes=[*table.notes, units])


def _lds(document: Mapping[str, Any]) -> TextTable:
    summary = document["summary"]["lds"]
    shares = list(dict.fromkeys(row["retained"] for row in summary))
    labels = sorted(
        dict.fromkeys(row["attributor"] for row in summary), key=lambda label: label == CEILING
    )
    by_place = {(row["retained"], row["attributor"]): row for row in summary}
    alone = {row["n"] for row in summary} == {1}
    if alone:
        # The only interval of one seed: the bootstrap over its subset models.
        by_place = {
            (row["retained"], row["attributor"]): {"mean": row}
            for row in document["scores"]
            if row["mean"] is not None
        }
    rows = []
    for label in labels:
        cells = [f"ceiling: {label}" if label == CEILING else label]
        for share in shares:
            mean = by_place.get((share, label), {}).get("mean")
            cells.append(MISSING if mean is None else _interval(**_values(mean)))
        rows.append(cells)
    first: Mapping[str, Any] = next(iter(document["scores"]), {})
    return TextTable(
        title="Linear datamodelling score",
        header=["attributor", *(f"{100 * share:g} % retained" for share in shares)],
        rows=rows,
        notes=[
            f"{first.get('subsets', MISSING)} subset models a share and seed, "
            f"{first.get('targets', MISSING)} targets. 1: the scores order the subsets as the "
            "retrained models do.",
            "One seed: the 95 % interval is of a bootstrap over its subset models, and says "
            "nothing of other seeds."
            if alone
            else f"n = {_counts(summary)} seeds, with a 95 % t-interval over them.",
            *_reasons(document),
        ],
    )


def _reasons(document: Mapping[str, Any]) -> list[str]:
    found = [
        f"Seed {row['seed']}, {row['attributor']}: {row['reason']}."
        for row in document["scores"]
        if row["mean"] is None
    ]
    constant = max((row.get("constant") or 0 for row in document["scores"]), default=0)
    if constant:
        found.append(f"Up to {constant} targets on which all subset models agree are left out.")
    return found


def _weights(document: Mapping[str, Any], scenario: str) -> TextTable:
    summary = [row for row in document["summary"]["weights"] if row["scenario"] == scenario]
    names = [name for name in _MEASURES if any(name in row for row in summary)]
    rows = [
        [
            "none" if row["rule"] == "none" else f"{100 * row['share']:g} % by {_rule(row)}",
            *(_mean(row.get(name)) for name in names),
        ]
        for row in sorted(
            summary,
            key=lambda row: (
                row["share"],
                list(RULES).index(row["rule"]) if row["rule"] in RULES else -1,
            ),
        )
    ]
    return TextTable(
        title=f"{scenario_label(scenario)}: after resetting weights",
        header=["weights reset", *(_MEASURES[name] for name in names)],
        rows=rows,
        notes=[
            f"Percentages, mean ± sample deviation over n = {_counts(summary)} seeds; for random "
            "weights, of the mean over draws in each seed."
        ],
    )


def _overlaps(document: Mapping[str, Any], scenario: str) -> TextTable:
    summary = [row for row in document["summary"]["overlaps"] if row["scenario"] == scenario]
    levels = list(dict.fromkeys(row["sparsity"] for row in summary))
    rows = []
    for share, rule in dict.fromkeys((row["share"], row["rule"]) for row in summary):
        cells = [f"{100 * share:g} % by {RULES[rule]}"]
        for level in levels:
            (row,) = (
                row
                for row in summary
                if (row["share"], row["rule"], row["sparsity"]) == (share, rule, level)
            )
            cells.append(f"{100 * row['kept']['mean']:.0f}")
        rows.append(cells)
    chance = ["chance", *(f"{100 * (1 - level):.0f}" for level in levels)]
    return TextTable(
        title=f"Kept by OMP, % of the weights that carry: {scenario_label(scenario)}",
        header=["weights", *(f"OMP {100 * level:g} %" for level in levels)],
        rows=[*rows, chance] if rows else [],
        notes=[
            "Mean over seeds. Far above chance: OMP keeps what carries the group.",
            *(
                f"Seed {each['seed']} lacks OMP at {100 * each['sparsity']:g} %: {each['reason']}."
                for each in document["left_out"]
                if each["scenario"] == scenario
            ),
        ],
    )


def _memorised(document: Mapping[str, Any]) -> TextTable:
    rows = [
        [
            str(row["seed"]),
            str(row["samples"]),
            str(row["memorised"]),
            MISSING if row["mean"] is None else f"{row['mean']:.3f}",
            ", ".join(each["id"] for each in row["most"][:3]),
        ]
        for row in document["memorisation"]
    ]
    return TextTable(
        title="Memorised training samples",
        header=["seed", "samples", "estimate ≥ 0.25", "mean estimate", "the most memorised"],
        rows=rows,
        notes=["Samples that every or no subset model was trained on have no estimate."],
    )


def _rule(row: Mapping[str, Any]) -> str:
    return RULES.get(row["rule"], str(row["rule"]))


def _counts(rows: list[dict[str, Any]]) -> str:
    return ", ".join(map(str, sorted({row["n"] for row in rows})))


def _values(spread: Mapping[str, float | None]) -> dict[str, Any]:
    return {"value": spread["mean"], "low": spread["low"], "high": spread["high"]}


def _mean(spread: Mapping[str, float | None] | None) -> str:
    """One digit after the point, and the deviation.

    >>> _mean({"mean": 12.34, "sd": 2.0}), _mean({"mean": 12.34, "sd": None}), _mean(None)
    ('12.3 ± 2.0', '12.3', '—')
    """
    if spread is None or spread["mean"] is None:
        return MISSING
    text = f"{spread['mean']:.1f}"
    return text if spread["sd"] is None else f"{text} ± {spread['sd']:.1f}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    """Three digits after the point, and the bounds.

    >>> _interval(0.1234, 0.1, 0.15), _interval(None, None, None)
    ('0.123 (0.100 to 0.150)', '—')
    """
    if value is None:
        return MISSING
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f} to {high:.3f})"
