"""The mean gap to Retrain against run time, with each name where it covers least."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from expunge.report.aggregate import Level, Scenario
from expunge.report.drawing import INK, Drawing, figure_of, root_scale, style, to_svg
from expunge.report.level_marks import legend, look, mark, short
from expunge.report.wording import ORIGINAL, RETRAIN, scenario_label, seconds


def draw_gap_vs_time(scenario: Scenario, stem: str) -> list[Drawing]:
    """One figure, whose name begins with `stem`; empty where no method has both numbers."""
    if not any(_timed(scenario, method, scenario.levels) for method in scenario.methods):
        return []
    name, what = f"{stem}-gap-vs-time", scenario_label(scenario.name)
    with style(stem):
        svg = to_svg(_scatter(scenario), name, what)
    return [
        Drawing(
            name=name,
            scenario=scenario.name,
            kind="gap-vs-time",
            title=f"{what}: mean gap against run time",
            caption="Better is lower and farther left. A line joins one method’s levels of "
            "sparsity. Dashed: the original model, which takes no time.",
            svg=svg,
        )
    ]


def _scatter(scenario: Scenario) -> Figure:
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
            axes.plot(time, gap, **mark(index), markersize=9, zorder=3, clip_on=False)
            times.append(time)
            gaps.append(gap)
        places = [(time, gap) for _, time, gap in path]
        for start, end in pairwise(places):
            axes.plot(*zip(start, end, strict=True), color=INK, linewidth=1, alpha=0.4)
        if places:
            points[method] = places
    for index, level in enumerate(scenario.levels):
        original = scenario.get(ORIGINAL, level)
        if original is not None and "avg" in original.gap:
            gap = original.gap["avg"].mean
            gaps.append(gap)
            color, dash = look(index)
            axes.axhline(gap, color=color, linestyle=dash, linewidth=1.3)
    axes.set_xlim(min(times) / 1.8, max(times) * 1.8)
    # A root spreads what is near Retrain, where the interesting methods are, and keeps the zero.
    root_scale(axes)
    axes.set_ylim(0, 1.15 * max(gaps) or 1.0)
    axes.yaxis.set_major_locator(FixedLocator(_gap_ticks(max(gaps))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_major_locator(FixedLocator(_time_ticks(*axes.get_xlim())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.set_xlabel("run time (log scale)")
    axes.set_ylabel("mean gap to Retrain, points (square-root scale)")
    legend(figure, scenario, original=True)
    titles = {method: short(scenario.title(method)) for method in points}
    _place_labels(figure, axes, points, titles)
    return figure


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
    figure: Figure,
    axes: Axes,
    points: Mapping[str, list[tuple[float, float]]],
    titles: Mapping[str, str],
) -> None:
    """Write each title beside one of its method's points, where it covers least."""
    figure.draw_without_rendering()
    pixels = {
        method: [tuple(axes.transData.transform(place)) for place in places]
        for method, places in points.items()
    }
    scale = figure.dpi / 72
    taken: list[_Box] = [
        (x - 7 * scale, y - 7 * scale, x + 7 * scale, y + 7 * scale)
        for places in pixels.values()
        for x, y in places
    ]
    taken += [box for places in pixels.values() for box in _along(places, 3 * scale)]
    frame = axes.bbox.extents
    for method, places in pixels.items():
        width, height = 7.4 * scale * len(titles[method]), 15 * scale
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
            titles[method],
            points[method][index],
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
