"""The figures of a report: metrics against Retrain, gap against time, confidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from expunge.report.aggregate import Group, Level, Scenario, Shares, aggregate
from expunge.report.bias import draw_bias
from expunge.report.drawing import (
    INK,
    MARKERS,
    PALETTE,
    Drawing,
    figure_of,
    save,
    slug,
    style,
    to_svg,
    unused,
)
from expunge.report.results import check_results
from expunge.report.tables import core_of
from expunge.report.trojan_figure import draw_trojan
from expunge.report.wording import ORIGINAL, RETRAIN, method_label, scenario_label, seconds

_DASHES: tuple[Any, ...] = ("--", ":", "-.", (0, (1, 3)), (0, (6, 1, 1, 1)), (0, (9, 3)))
_GAP_LINES = (
    "Each line runs from Retrain at the same sparsity to the method: its length is the gap."
)
_NO_LINES = "Retrain was not measured, so there is nothing to compare with."


def write_figures(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write every figure of a results document into a folder, one SVG each.

    Raises:
        DataError: the document does not fit the schema.
        StoreError: the folder cannot be written to.
    """
    results = check_results(results)
    return save(draw(aggregate(results), results["settings"]), folder)


def draw(
    scenarios: Iterable[Scenario], settings: Mapping[str, Any] = MappingProxyType({})
) -> list[Drawing]:
    """Every figure that the scenarios have the numbers for."""
    drawings = []
    taken: set[str] = set()
    for scenario in scenarios:
        stem = unused(slug(scenario.name), taken)
        what = scenario_label(scenario.name)
        with style(stem):
            if scenario.methods:
                drawings.append(
                    Drawing(
                        name=f"{stem}-metrics",
                        scenario=scenario.name,
                        kind="metrics",
                        title=f"{what}: metrics against Retrain",
                        caption=(_GAP_LINES if RETRAIN in scenario.rows else _NO_LINES)
                        + " Whiskers: standard deviation over seeds. Each panel has its own scale.",
                        svg=to_svg(_metrics(scenario), f"{stem}-metrics", what),
                    )
                )
            if any(_timed(scenario, method, scenario.levels) for method in scenario.methods):
                drawings.append(
                    Drawing(
                        name=f"{stem}-gap-vs-time",
                        scenario=scenario.name,
                        kind="gap-vs-time",
                        title=f"{what}: mean gap against run time",
                        caption="Better is lower and farther left. A line joins one method’s "
                        "levels of sparsity. Dashed: the original model, which takes no time.",
                        svg=to_svg(_gap_vs_time(scenario), f"{stem}-gap-vs-time", what),
                    )
                )
            drawings += draw_trojan(scenario, settings, stem)
            drawings += draw_bias(scenario, stem)
            for index, level in enumerate(scenario.levels):
                groups = _with_confidence(scenario, level)
                if not groups:
                    continue
                name = f"{stem}-confidence" + (f"-{slug(level.label)}" if index else "")
                name = unused(name, taken)
                drawings.append(
                    Drawing(
                        name=name,
                        scenario=scenario.name,
                        kind="confidence",
                        title=f"{what}: confidence in the true class, {level.label}",
                        caption=f"Models {level.label}. Filled: after unlearning; line: before. "
                        "The share of samples is on a square-root scale, so that small shares can "
                        "be seen. Good: the shape of Retrain’s row.",
                        svg=to_svg(_confidence(groups, PALETTE[index % len(PALETTE)]), name, what),
                    )
                )
    return drawings


def _metrics(scenario: Scenario) -> Figure:
    """A panel a metric, a row a method, a mark a level."""
    methods = [method for method in scenario.rows if method != RETRAIN]
    figure = figure_of(112 + 38 * len(methods))
    measures = core_of(scenario)
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        extent: list[float] = []
        for index, level in enumerate(scenario.levels):
            color, dash = _look(index)
            reference = _value(scenario.get(RETRAIN, level), measure.key)
            if reference is not None:
                axes.axvline(reference, color=color, linestyle=dash, linewidth=1.3)
                extent.append(reference)
            for row, method in enumerate(methods):
                group = scenario.get(method, level)
                value = _value(group, measure.key)
                if group is None or value is None:
                    continue
                y = row + _offset(index, len(scenario.levels))
                if reference is not None:
                    axes.plot([reference, value], [y, y], color=color, linewidth=2, alpha=0.45)
                deviation = group.metrics[measure.key].std or 0.0
                axes.errorbar(value, y, xerr=deviation or None, color=color, linewidth=1)
                axes.plot(value, y, **_mark(index), markersize=7)
                extent += [value - deviation, value + deviation]
        _limits(axes, extent)
        axes.set_title(measure.short, loc="left")
        axes.set_yticks(range(len(methods)), [_short(method) for method in methods])
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        for row in range(1, len(methods)):
            axes.axhline(row - 0.5, color=INK, linewidth=0.5, alpha=0.15)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel("%")
    _legend(figure, scenario, retrain=True)
    return figure


def _gap_vs_time(scenario: Scenario) -> Figure:
    """Run time across, on a log scale; mean gap up; a mark a method and level."""
    figure = figure_of(400)
    axes = figure.subplots()
    axes.set_xscale("log")
    times: list[float] = []
    gaps = [0.0]
    points: dict[str, list[tuple[float, float]]] = {}
    for method in (RETRAIN, *scenario.methods):
        path = _timed(scenario, method, scenario.levels)
        for index, time, gap in path:
            axes.plot(time, gap, **_mark(index), markersize=9, zorder=3, clip_on=False)
            times.append(time)
            gaps.append(gap)
        places = [(time, gap) for _, time, gap in path]
        for start, end in pairwise(places):
            axes.plot(*zip(start, end, strict=True), color=INK, linewidth=1, alpha=0.4)
        if places:
            points[_short(method)] = places
    for index, level in enumerate(scenario.levels):
        original = scenario.get(ORIGINAL, level)
        if original is not None and "avg" in original.gap:
            gap = original.gap["avg"].mean
            gaps.append(gap)
            color, dash = _look(index)
            axes.axhline(gap, color=color, linestyle=dash, linewidth=1.3)
    axes.set_xlim(min(times) / 1.8, max(times) * 1.8)
    # A root spreads what is near Retrain, where the interesting methods are, and keeps the zero.
    axes.set_yscale("function", functions=(_root, _square))
    axes.set_ylim(0, 1.15 * max(gaps) or 1.0)
    axes.yaxis.set_major_locator(FixedLocator(_gap_ticks(max(gaps))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_major_locator(FixedLocator(_time_ticks(*axes.get_xlim())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.set_xlabel("run time (log scale)")
    axes.set_ylabel("mean gap to Retrain, points (square-root scale)")
    _legend(figure, scenario, original=True)
    _place_labels(figure, axes, points)
    return figure


def _confidence(groups: list[Group], color: str) -> Figure:
    """A row a method; forget, retain and test side by side."""
    figure = figure_of(70 + 88 * len(groups))
    panels = figure.subplots(len(groups), 3, sharex=True, sharey=True, squeeze=False)
    for row, group in zip(panels, groups, strict=True):
        for axes, part in zip(row, ("forget", "retain", "test"), strict=True):
            _stairs(axes, group.confidence["after", part], color, fill=True)
            _stairs(axes, group.confidence["before", part], INK, fill=False)
            if group is groups[0]:
                axes.set_title(part.capitalize(), loc="left")
        row[0].set_ylabel(
            _short(group.method),
            rotation=0,
            ha="right",
            va="center",
            labelpad=14,
            fontweight="bold",
        )
    # Panels share their axes: one that is set is all of them.
    shared = panels[0][0]
    shared.set_yscale("function", functions=(_root, _square))
    shared.set_ylim(0, 100)
    shared.set_xlim(0, 1)
    shared.set_yticks([0, 10, 50, 100])
    shared.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    panels[-1][1].set_xlabel("probability of the true class")
    figure.supylabel("share of samples, %", fontsize=12)
    return figure


def _stairs(axes: Axes, shares: Shares, color: str, *, fill: bool) -> None:
    edges = [index / len(shares) for index in range(len(shares) + 1)]
    if fill:
        axes.stairs(shares, edges, fill=True, color=color, alpha=0.75, linewidth=0)
    else:
        axes.stairs(shares, edges, color=color, linewidth=1.1)


def _root(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.abs(value))


def _square(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.square(value)


def _with_confidence(scenario: Scenario, level: Level) -> list[Group]:
    groups = (scenario.get(method, level) for method in (RETRAIN, *scenario.methods))
    return [group for group in groups if group is not None and group.confidence]


def _timed(
    scenario: Scenario, method: str, levels: Iterable[Level]
) -> list[tuple[int, float, float]]:
    """Where a method has both a time and a mean gap: index of the level, seconds, points."""
    places = []
    for index, level in enumerate(levels):
        group = scenario.get(method, level)
        if group is None or group.rte_s is None or group.rte_s.mean <= 0:
            continue
        if method == RETRAIN:
            places.append((index, group.rte_s.mean, 0.0))
        elif "avg" in group.gap:
            places.append((index, group.rte_s.mean, group.gap["avg"].mean))
    return places


def _value(group: Group | None, key: str) -> float | None:
    return None if group is None or key not in group.metrics else group.metrics[key].mean


def _offset(index: int, count: int) -> float:
    """Marks of several levels share a row without covering each other."""
    return (index - (count - 1) / 2) * min(0.3, 0.7 / count)


def _limits(axes: Axes, extent: list[float]) -> None:
    if not extent:
        return
    low, high = min(extent), max(extent)
    # A range of less than two points would make noise look like a difference.
    spare = max(0.0, 2.0 - (high - low)) / 2
    low, high = max(0.0, low - spare), min(100.0, high + spare)
    margin = 0.06 * (high - low)
    axes.set_xlim(low - margin, high + margin)


def _look(index: int) -> tuple[str, Any]:
    """Colour and dashes of a level."""
    return PALETTE[index % len(PALETTE)], _DASHES[index % len(_DASHES)]


def _mark(index: int) -> dict[str, Any]:
    """Dense marks are filled, the others hollow: marks in the same place all show."""
    return {
        "marker": MARKERS[index % len(MARKERS)],
        "color": PALETTE[index % len(PALETTE)],
        "markeredgewidth": 1.8,
        "linestyle": "",
        "fillstyle": "none" if index else "full",
    }


def _legend(
    figure: Figure, scenario: Scenario, *, retrain: bool = False, original: bool = False
) -> None:
    handles = []
    for index, level in enumerate(scenario.levels):
        color, dash = _look(index)
        handles.append(Line2D([], [], **_mark(index), label=level.label, markersize=8))
        if retrain and scenario.get(RETRAIN, level):
            label = f"Retrain, {level.label}"
            handles.append(Line2D([], [], color=color, linestyle=dash, label=label))
        if original and scenario.get(ORIGINAL, level):
            label = f"Original, {level.label}"
            handles.append(Line2D([], [], color=color, linestyle=dash, label=label))
    figure.legend(handles=handles, loc="outside upper left", ncols=min(6, len(handles)))


_TICKS = (1e-3, 1e-2, 0.1, 1, 10, 60, 600, 3600, 36000, 360000)
_FINE_TICKS = (
    *(base * 10**power for power in (-3, -2, -1) for base in (1, 2, 5)),
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800),
    *(3600, 7200, 18000, 36000, 72000, 180000, 360000),
)


def _gap_ticks(high: float) -> list[float]:
    """Round gaps, leaving out those too near to zero to be told apart on a root scale."""
    ticks = [base * 10.0**power for power in range(-3, 3) for base in (1, 2, 5)]
    return [0.0, *(tick for tick in ticks if high / 60 <= tick <= 1.15 * high)]


def _time_ticks(low: float, high: float) -> list[float]:
    """Round times; finer ones where the usual ones are too few."""
    coarse = [tick for tick in _TICKS if low <= tick <= high]
    return coarse if len(coarse) > 3 else [tick for tick in _FINE_TICKS if low <= tick <= high]


def _place_labels(
    figure: Figure, axes: Axes, points: Mapping[str, list[tuple[float, float]]]
) -> None:
    """Write each name beside one of its points, where it covers least."""
    figure.draw_without_rendering()
    pixels = {
        name: [tuple(axes.transData.transform(place)) for place in places]
        for name, places in points.items()
    }
    scale = figure.dpi / 72
    taken: list[_Box] = [
        (x - 7 * scale, y - 7 * scale, x + 7 * scale, y + 7 * scale)
        for places in pixels.values()
        for x, y in places
    ]
    taken += [box for places in pixels.values() for box in _along(places, 3 * scale)]
    frame = axes.bbox.extents
    for name, places in pixels.items():
        width, height = 7.4 * scale * len(name), 15 * scale
        choices = []
        for index, (x, y) in enumerate(places):
            for order, (dx, dy, ha, va) in enumerate(_SIDES):
                left = x + dx * scale - {"left": 0, "center": 0.5, "right": 1}[ha] * width
                low = y + dy * scale - {"bottom": 0, "center": 0.5, "top": 1}[va] * height
                box = (left, low, left + width, low + height)
                cost = sum(_overlap(box, other) for other in taken)
                outside = width * height - _overlap(box, tuple(frame))
                choices.append((cost + outside, index, order, box))
        _, index, order, box = min(choices)
        dx, dy, ha, va = _SIDES[order]
        axes.annotate(
            name,
            points[name][index],
            xytext=(dx, dy),
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize=12,
        )
        taken.append(box)


_SIDES = (
    (10, 0, "left", "center"),
    (-10, 0, "right", "center"),
    (0, 9, "center", "bottom"),
    (0, -9, "center", "top"),
    (8, 8, "left", "bottom"),
    (-8, 8, "right", "bottom"),
    (8, -8, "left", "top"),
    (-8, -8, "right", "top"),
)
_Box = tuple[float, ...]


def _along(places: list[tuple[Any, ...]], radius: float) -> Iterator[_Box]:
    """Small boxes along the line through the places."""
    for (x0, y0), (x1, y1) in pairwise(places):
        for step in range(1, 20):
            x, y = x0 + (x1 - x0) * step / 20, y0 + (y1 - y0) * step / 20
            yield x - radius, y - radius, x + radius, y + radius


def _overlap(one: _Box, other: _Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _short(method: str) -> str:
    label = method_label(method)
    return label if len(label) <= 22 else f"{label[:21]}…"
