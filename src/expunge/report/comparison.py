"""What the page's comparison draws: every mean of the tables with its band, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from expunge.report.aggregate import Group, Level, Scenario, Summary
from expunge.report.bands import BAND_NOTE, band
from expunge.report.curves import density_steps, levels_of, pruners, why_no_curves, with_unit
from expunge.report.measures import AVG_GAP, AVG_GAP_DENSE, RTE, SPARSITY, Measure
from expunge.report.method_marks import method_marks
from expunge.report.radar import (
    BEYOND,
    FEWEST,
    radar_axes,
    radar_note,
    radar_scale,
    radius,
    why_no_radar,
)
from expunge.report.tables import Entry, further_table, main_table
from expunge.report.wording import RETRAIN, method_label, scenario_label

_WHOLE = {"percent": (0, 100), "fraction": (0, 1)}
"""By unit: the ends that axes do not go beyond."""


def comparison_json(scenarios: Iterable[Scenario]) -> str:
    """All scenarios as JSON that may stand in a page: no character of it ends a script."""
    document = {
        "band_note": BAND_NOTE,
        "beyond": BEYOND,
        "fewest": FEWEST,
        "scenarios": [_scenario(scenario) for scenario in scenarios],
    }
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _scenario(scenario: Scenario) -> dict[str, Any]:
    main, further = main_table(scenario), further_table(scenario)
    tables = [main] if further is None else [main, further]
    columns = [(table, place) for table in tables for place in range(len(table.measures))]
    count, looks = len(scenario.levels), method_marks(scenario)
    axes = radar_axes(scenario)
    methods = []
    for number, row in enumerate(main.rows):
        look = looks[row.method]
        cells = [
            [
                _cell(scenario, row.method, table.measures[place], level, entry, table.notes)
                for level, entry in zip(
                    scenario.levels,
                    table.rows[number].entries[place * count : (place + 1) * count],
                    strict=True,
                )
            ]
            for table, place in columns
        ]
        methods.append(
            {
                "label": row.label,
                "reference": row.reference,
                "retrain": row.method == RETRAIN,
                "color": look.color,
                "marker": look.marker,
                "hollow": look.hollow,
                "dashes": look.dashes,
                "cells": cells,
            }
        )
    return {
        "label": scenario_label(scenario.name),
        "seeds": len(scenario.seeds),
        "levels": [
            {
                "label": level.label,
                "percent": round(100 * level.sparsity, 6),
                "across": density_steps(level.sparsity),
            }
            for level in scenario.levels
        ],
        "pruners": [
            {
                "label": method_label(pruner),
                "levels": [scenario.levels.index(each) for each in levels_of(scenario, pruner)],
            }
            for pruner in pruners(scenario)
        ],
        "measures": [
            {
                "short": measure.short,
                "axis": with_unit(measure),
                "main": table is main,
                "kind": _KINDS.get(measure.key, "metric"),
                "corner": axes.index(measure) if measure in axes else None,
                "ends": (0, None) if measure.key in _KINDS else _WHOLE.get(measure.unit),
            }
            for table, place in columns
            for measure in (table.measures[place],)
        ],
        "methods": methods,
        "notes": list(main.legend),
        "radar": {
            "why_not": why_no_radar(scenario),
            "note": radar_note(scenario),
            "scale": radar_scale(scenario),
        },
        "curves": {"why_not": why_no_curves(scenario)},
    }


_KINDS = {AVG_GAP.key: "gap", AVG_GAP_DENSE.key: "gap_dense", RTE.key: "time"}


def _cell(
    scenario: Scenario,
    method: str,
    measure: Measure,
    level: Level,
    entry: Entry,
    notes: tuple[str, ...],
) -> dict[str, Any]:
    """One place of a table: its text, and the numbers behind it; what is not known is left out."""
    group = scenario.get(method, level)
    summary, by_seed = (None, {}) if group is None else _numbers(group, measure)
    found: dict[str, Any] = {
        "text": entry.text,
        "beside": entry.beside or None,
        "mark": entry.mark or None,
        "why": None if entry.note is None else notes[entry.note - 1],
        "low": entry.low or None,
        "sort": entry.sort,
    }
    if measure is AVG_GAP and method == RETRAIN and group is not None and group.measured:
        found["mean"] = 0.0
    if summary is not None:
        spread = band(by_seed)
        found |= {"mean": summary.mean, "std": summary.std, "n": summary.n}
        found["band"] = None if spread is None else [spread.low, spread.high, spread.kind]
    if group is not None and measure.key in group.gap:
        found["gap"] = group.gap[measure.key].mean
    if group is not None and measure in radar_axes(scenario):
        found["radius"] = radius(scenario, group, measure)
    return {name: value for name, value in found.items() if value is not None}


def _in_percent(share: Summary) -> Summary:
    std = None if share.std is None else 100 * share.std
    return Summary(100 * share.mean, std, share.n)


def _numbers(group: Group, measure: Measure) -> tuple[Summary | None, Mapping[int, float]]:
    """A measure's mean over seeds, and its values by seed."""
    if measure in (AVG_GAP, AVG_GAP_DENSE):
        gaps, name = (group.gap, "gap") if measure is AVG_GAP else (group.gap_dense, "gap_dense")
        return gaps.get("avg"), group.by_seed.get(name, {})
    if measure is RTE:
        return group.rte_s, group.by_seed.get("rte_s", {})
    if measure is SPARSITY:
        share = group.sparsity_measured
        return (None if share is None else _in_percent(share)), {}
    return group.metrics.get(measure.key), group.by_seed.get(measure.key, {})
