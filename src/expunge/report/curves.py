"""Measures against sparsity: a panel a measure, a curve a method and pruner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from expunge.report.aggregate import Group, Level, Scenario
from expunge.report.bands import BAND_NOTE, band
from expunge.report.drawing import INK, Drawing, figure_of, percent_limits, style, to_svg
from expunge.report.measures import AVG_GAP, AVG_GAP_DENSE, RTE, Measure
from expunge.report.method_marks import legend_height, method_legend, method_marks
from expunge.report.tables import core_of
from expunge.report.wording import RETRAIN, method_label, scenario_label

_IN_A_ROW = 3
_SPARSEST = 1 - 1e-4
"""Where a level without any weight is drawn."""
_DASHES: tuple[Any, ...] = ("-", "--", ":", "-.")
_DENSE = "none"


def density_steps(sparsity: float) -> float:
    """Where a sparsity stands: how often the weights left were divided by e.

    >>> round(density_steps(0.0), 3), round(density_steps(0.5), 3), round(density_steps(0.95), 3)
    (0.0, 0.693, 2.996)
    """
    return -math.log1p(-min(sparsity, _SPARSEST))


def pruners(scenario: Scenario) -> list[str]:
    """The pruners that curves are of; dense models belong to all."""
    found = [level.pruner for level in scenario.levels if level.pruner != _DENSE]
    return list(dict.fromkeys(found)) or [_DENSE]


def levels_of(scenario: Scenario, pruner: str) -> list[Level]:
    """A pruner's levels, from dense to sparse."""
    return [level for level in scenario.levels if level.pruner in (pruner, _DENSE)]


def why_no_curves(scenario: Scenario) -> str:
    """Why there are no curves over sparsity; empty where there are."""
    if len({level.sparsity for level in scenario.levels}) < 2:
        return f"No curves over sparsity: one level was measured, {scenario.levels[0].label}."
    if not measures_over_sparsity(scenario):
        return "No curves over sparsity: no measure of the table has a value."
    return ""


def draw_curves(scenario: Scenario, stem: str) -> list[Drawing]:
    """One figure, whose name begins with `stem`; empty where there is one level of sparsity."""
    if why_no_curves(scenario) or not scenario.methods:
        return []
    name, what = f"{stem}-sparsity", scenario_label(scenario.name)
    with style(stem):
        svg = to_svg(_figure(scenario), name, what)
    return [
        Drawing(
            name=name,
            scenario=scenario.name,
            kind="sparsity",
            title=f"{what}: measures against sparsity",
            caption="Across: the sparsity before unlearning, on a log scale of the weights that "
            f"are left. {BAND_NOTE} Axes of percentages end at 0 and 100.",
            svg=svg,
        )
    ]


def measures_over_sparsity(scenario: Scenario) -> tuple[Measure, ...]:
    """The measures that have a panel: those of the main table that have values, without RTE."""
    there = {key for group in scenario.groups.values() for key in group.by_seed}
    return tuple(measure for measure in (*core_of(scenario), AVG_GAP) if _key(measure) in there)


def _key(measure: Measure) -> str:
    """The name of a measure among values by seed."""
    return "gap" if measure is AVG_GAP else measure.key


def with_unit(measure: Measure) -> str:
    """A measure's short name and its unit, as axes name it."""
    units = {"percent": "%", "norm": "", "fraction": "share"}
    unit = (
        "points" if measure in (AVG_GAP, AVG_GAP_DENSE) else units.get(measure.unit, measure.unit)
    )
    unit = "s" if measure is RTE else unit
    # Of other packages' measures the name has the unit already.
    return (
        f"{measure.short}, {unit}" if unit and not measure.short.endswith(unit) else measure.short
    )


def _figure(scenario: Scenario) -> Figure:
    measures = measures_over_sparsity(scenario)
    columns = min(_IN_A_ROW, len(measures))
    rows = math.ceil(len(measures) / columns)
    marks, several = method_marks(scenario), pruners(scenario)
    of_pruners = [
        Line2D([], [], color=INK, linestyle=dash, label=method_label(pruner))
        for pruner, dash in zip(several, cycle(_DASHES), strict=False)
        if len(several) > 1
    ]
    figure = figure_of(30 + 230 * rows + legend_height(marks, len(of_pruners)))
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, measure in zip(panels, measures, strict=False):
        for method, mark in marks.items():
            # Retrain is what the gap is to.
            if measure is AVG_GAP and method == RETRAIN:
                continue
            for pruner, dash in zip(several, cycle(_DASHES), strict=False):
                line = mark.line | ({"linestyle": dash} if len(several) > 1 else {})
                groups = [scenario.get(method, level) for level in levels_of(scenario, pruner)]
                _curve(axes, groups, measure, line)
        if measure is AVG_GAP or measure.unit == "percent":
            axes.set_ylim(*percent_limits(axes.dataLim.intervaly))
        _sparsities(axes, scenario.levels)
        axes.set_title(with_unit(measure), loc="left")
    for axes in panels[len(measures) :]:
        axes.remove()
    figure.supxlabel("sparsity, %", fontsize=12)
    method_legend(figure, marks, *of_pruners)
    return figure


def _curve(
    axes: Axes,
    groups: Sequence[Group | None],
    measure: Measure,
    line: dict[str, Any],
) -> None:
    """Means joined from dense to sparse, each with its band; a level without a value is passed."""
    key = _key(measure)
    there = [group for group in groups if group is not None and key in group.by_seed]
    across = [density_steps(group.level.sparsity) for group in there]
    axes.plot(across, [group.mean(key) for group in there], **line, linewidth=1.4, markersize=5)
    bands = [
        (x, found)
        for x, group in zip(across, there, strict=True)
        if (found := band(group.by_seed[key])) is not None
    ]
    axes.fill_between(
        [x for x, _ in bands],
        [found.low for _, found in bands],
        [found.high for _, found in bands],
        color=line["color"],
        alpha=0.15,
        linewidth=0,
    )


def _sparsities(axes: Axes, levels: Sequence[Level]) -> None:
    """A tick a level, in per cent."""
    places = {density_steps(level.sparsity): f"{100 * level.sparsity:g}" for level in levels}
    axes.xaxis.set_major_locator(FixedLocator(list(places)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(list(places), list(places.values()))
