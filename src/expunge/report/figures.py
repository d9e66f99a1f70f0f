"""All figures of a report; those of one idea only are in modules of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from expunge.report.aggregate import Group, Level, Scenario, Shares, aggregate
from expunge.report.bias import draw_bias
from expunge.report.curves import draw_curves
from expunge.report.drawing import (
    INK,
    PALETTE,
    Drawing,
    figure_of,
    percent_limits,
    root_scale,
    save,
    slug,
    style,
    to_svg,
    unused,
)
from expunge.report.gap_vs_time import draw_gap_vs_time
from expunge.report.level_marks import legend, look, mark, short
from expunge.report.radar import draw_radar
from expunge.report.results import check_results
from expunge.report.tables import core_of
from expunge.report.trojan_figure import draw_trojan
from expunge.report.wording import RETRAIN, scenario_label

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
            drawings += draw_gap_vs_time(scenario, stem)
            drawings += draw_radar(scenario, stem)
            drawings += draw_curves(scenario, stem)
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
            color, dash = look(index)
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
                axes.plot(value, y, **mark(index), markersize=7)
                extent += [value - deviation, value + deviation]
        if extent:
            axes.set_xlim(*percent_limits(extent))
        axes.set_title(measure.short, loc="left")
        axes.set_yticks(range(len(methods)), [short(scenario.title(method)) for method in methods])
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        for row in range(1, len(methods)):
            axes.axhline(row - 0.5, color=INK, linewidth=0.5, alpha=0.15)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel("%")
    legend(figure, scenario, retrain=True)
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
            short(group.title),
            rotation=0,
            ha="right",
            va="center",
            labelpad=14,
            fontweight="bold",
        )
    # Panels share their axes: one that is set is all of them.
    shared = panels[0][0]
    root_scale(shared)
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


def _with_confidence(scenario: Scenario, level: Level) -> list[Group]:
    groups = (scenario.get(method, level) for method in (RETRAIN, *scenario.methods))
    return [group for group in groups if group is not None and group.confidence]


def _value(group: Group | None, key: str) -> float | None:
    return None if group is None or key not in group.metrics else group.metrics[key].mean


def _offset(index: int, count: int) -> float:
    """Marks of several levels share a row without covering each other."""
    return (index - (count - 1) / 2) * min(0.3, 0.7 / count)
