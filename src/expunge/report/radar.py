"""The paper's overview: a polygon a method, whose rim is Retrain."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from expunge.report.aggregate import Group, Level, Scenario
from expunge.report.drawing import INK, Drawing, figure_of, style, to_svg
from expunge.report.measures import RTE, Measure
from expunge.report.method_marks import legend_height, method_legend, method_marks
from expunge.report.tables import core_of, time_share
from expunge.report.wording import RETRAIN, listed, scenario_label

FEWEST = 3
"""Axes that a polygon needs."""

BEYOND = 1.15
"""How far out of the rim a corner is drawn at most."""

_SCALES = (1, 2, 5, 10, 20, 50, 100)
_IN_A_ROW = 3


def radar_axes(scenario: Scenario) -> tuple[Measure, ...]:
    """The percentages that gaps are over, and RTE, as far as any method has them."""
    groups = [group for (method, _), group in scenario.groups.items() if method != RETRAIN]
    core = [
        measure
        for measure in core_of(scenario)
        if measure.unit == "percent" and any(measure.key in group.gap for group in groups)
    ]
    timed = any(time_share(scenario, group) is not None for group in groups)
    return (*core, *((RTE,) if timed else ()))


def radar_scale(scenario: Scenario) -> int:
    """The gap in points at the centre: the smallest round one that none of the scenario exceeds."""
    keys = {measure.key for measure in radar_axes(scenario)}
    gaps = [
        summary.mean
        for group in scenario.groups.values()
        for key, summary in group.gap.items()
        if key in keys
    ]
    return next((scale for scale in _SCALES if scale >= max(gaps, default=0.0)), _SCALES[-1])


def radius(scenario: Scenario, group: Group, axis: Measure) -> float | None:
    """How far from the centre a method's corner is, as a share of the rim; None if not known.

    Of a metric, 1 - gap / scale; of RTE, its share of Retrain's time, which may exceed 1.
    """
    if axis is RTE:
        return time_share(scenario, group)
    if group.method == RETRAIN:
        return 1.0 if axis.key in group.metrics else None
    gap = group.gap.get(axis.key)
    return None if gap is None else 1 - gap.mean / radar_scale(scenario)


def radar_note(scenario: Scenario) -> str:
    """What centre and rim are."""
    axes = radar_axes(scenario)
    core = ", ".join(axis.short for axis in axes if axis is not RTE)
    text = (
        f"The rim is Retrain at the same sparsity. On {core}, the centre is a gap of "
        f"{radar_scale(scenario)} points to it, on one scale for all levels: farther out is better."
    )
    if RTE in axes:
        text += (
            " On RTE, the distance from the centre is the share of Retrain’s time: farther in is "
            "faster; a corner outside the rim is slower than Retrain, and drawn at most "
            f"{BEYOND:g} times as far out."
        )
    return text


def why_no_radar(scenario: Scenario) -> str:
    """Why there is no radar; empty where there is one."""
    if not any(method == RETRAIN for method, _ in scenario.groups):
        return "No radar: Retrain, which is its rim, was not measured."
    if len(radar_axes(scenario)) < FEWEST:
        return f"No radar: fewer than {FEWEST} measures have a gap to Retrain or a time."
    return ""


def radar_levels(scenario: Scenario) -> list[Level]:
    """The levels that have a radar: those with Retrain."""
    return [level for level in scenario.levels if scenario.get(RETRAIN, level) is not None]


def draw_radar(scenario: Scenario, stem: str) -> list[Drawing]:
    """One figure with a radar a level, whose name begins with `stem`; empty where there is none."""
    if why_no_radar(scenario) or not scenario.methods:
        return []
    name, what = f"{stem}-radar", scenario_label(scenario.name)
    with style(stem):
        svg = to_svg(_figure(scenario), name, what)
    return [
        Drawing(
            name=name,
            scenario=scenario.name,
            kind="radar",
            title=f"{what}: overview, normalised to Retrain",
            caption=f"{radar_note(scenario)}{_without_rim(scenario)} A line is open where a method "
            "lacks a measure. Means over seeds; no spread is shown.",
            svg=svg,
        )
    ]


def _without_rim(scenario: Scenario) -> str:
    """Which levels have no radar."""
    there = radar_levels(scenario)
    names = [level.label for level in scenario.levels if level not in there]
    return f" None at {listed(names)}, where Retrain was not measured." if names else ""


def _figure(scenario: Scenario) -> Figure:
    """A panel a level, a corner a measure, a polygon a method."""
    axes, levels = radar_axes(scenario), radar_levels(scenario)
    marks = {name: mark for name, mark in method_marks(scenario).items() if name != RETRAIN}
    rows = math.ceil(len(levels) / _IN_A_ROW)
    figure = figure_of(legend_height(marks, further=1) + 300 * rows)
    panels = figure.subplots(rows, _IN_A_ROW, squeeze=False).flatten()
    for panel in panels[len(levels) :]:
        panel.remove()
    for panel, level in zip(panels, levels, strict=False):
        _frame(panel, axes, radar_scale(scenario))
        panel.set_title(level.label, loc="left")
        for method, mark in marks.items():
            group = scenario.get(method, level)
            if group is None:
                continue
            ends = [radius(scenario, group, axis) for axis in axes]
            places = [
                (math.nan, math.nan) if end is None else corner(place, len(axes), end)
                for place, end in enumerate(ends)
            ]
            panel.plot(*_closed(places), **mark.line, linewidth=1.4, markersize=5)
    rim = Line2D([], [], color=INK, linewidth=1.4, label="rim: Retrain")
    method_legend(figure, marks, rim)
    return figure


def _frame(panel: Axes, axes: Sequence[Measure], scale: int) -> None:
    """The rim, rings with the gaps that they stand for, and the measures around."""
    count = len(axes)
    for ring in (0.25, 0.5, 0.75, 1.0):
        places = [corner(place, count, ring) for place in range(count)]
        width, alpha = (1.4, 1.0) if ring == 1.0 else (0.6, 0.3)
        panel.plot(*_closed(places), color=INK, linewidth=width, alpha=alpha)
        panel.text(0.02, ring - 0.02, f"{scale * (1 - ring):g}", fontsize=9, va="top")
    for place, axis in enumerate(axes):
        x, y = corner(place, count, 1.0)
        panel.plot([0, x], [0, y], color=INK, linewidth=0.6, alpha=0.3)
        side = "center" if abs(x) < 0.1 else "left" if x > 0 else "right"
        height = "center" if abs(y) < 0.5 else "bottom" if y > 0 else "top"
        panel.text(1.06 * x, 1.06 * y, axis.short, ha=side, va=height)
    panel.set_aspect("equal")
    panel.set_xlim(-1.4, 1.4)
    panel.set_ylim(-1.2, 1.2)
    panel.set_axis_off()


def corner(place: int, count: int, radius: float) -> tuple[float, float]:
    """Where a measure's corner is: the first on top, the others clockwise.

    >>> [tuple(round(x, 3) + 0.0 for x in corner(place, 4, 0.5)) for place in (0, 1)]
    [(0.0, 0.5), (0.5, 0.0)]
    """
    angle = 2 * math.pi * place / count
    reach = min(radius, BEYOND)
    return reach * math.sin(angle), reach * math.cos(angle)


def _closed(places: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """The coordinates of a polygon that ends where it begins."""
    around = [*places, places[0]]
    return [x for x, _ in around], [y for _, y in around]
