"""Accuracy by group as a picture: which classes fail with which mark, before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from expunge.report.aggregate import Group, Scenario
from expunge.report.drawing import INK, Drawing, figure_of, slug, style, to_svg
from expunge.report.wording import printable, scenario_label

_SMALL = 20
"""Up to this many rows and columns each have their name beside them."""
_PANELS = 5
"""How many panels are side by side."""


def draw_bias(scenario: Scenario, stem: str) -> list[Drawing]:
    """A figure for each level, with a panel for each method; `stem` begins its names.

    Empty where accuracy by group was not measured.
    """
    drawings = []
    what = scenario_label(scenario.name)
    for index, level in enumerate(scenario.levels):
        groups = [
            group
            for method in scenario.rows
            if (group := scenario.get(method, level)) is not None and group.by_group
        ]
        if not groups:
            continue
        name = f"{stem}-groups" + (f"-{slug(level.label)}" if index else "")
        with style(name):
            svg = to_svg(_figure(groups), name, what)
        drawings.append(
            Drawing(
                name=name,
                scenario=scenario.name,
                kind="groups",
                title=f"{what}: accuracy by group, {level.label}",
                caption="Accuracy on test images of each class (down) with each mark, or in each "
                "group (across); the mean over seeds. All panels have one scale. Good: Retrain’s "
                "panel or better. With marks, a bright diagonal on dark ground is a model that "
                "follows the mark: it is right where the mark agrees.",
                svg=svg,
            )
        )
    return drawings


def _figure(groups: list[Group]) -> Figure:
    columns = min(len(groups), _PANELS)
    rows = math.ceil(len(groups) / columns)
    figure = figure_of(90 + 205 * rows)
    panels = figure.subplots(rows, columns, squeeze=False)
    lowest = min(
        value
        for group in groups
        for by_class in group.by_group.values()
        for value in by_class.values()
        if value is not None
    )
    drawn = None
    for place, axes in enumerate(panels.flat):
        if place >= len(groups):
            axes.set_visible(False)
            continue
        group = groups[place]
        drawn = _panel(axes, group.by_group, lowest)
        axes.set_title(printable(group.title), loc="left")
        if place % columns:
            axes.set_yticklabels([])
    figure.supylabel("class of the image", fontsize=12)
    figure.supxlabel("mark, or group", fontsize=12)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=panels.ravel().tolist(), shrink=0.6, pad=0.01)
        bar.outline.set_visible(False)
        bar.set_label("accuracy, %")
    return figure


def _panel(
    axes: Axes, by_group: Mapping[str, Mapping[str, float | None]], lowest: float
) -> QuadMesh:
    """The map of one method; groups without a sample stay empty."""
    attributes = list(by_group)
    classes = list(next(iter(by_group.values())))
    values = np.array(
        [[by_group[at].get(name) for at in attributes] for name in classes], dtype=np.float64
    )
    mesh = axes.pcolormesh(
        np.ma.masked_invalid(values),
        cmap="cividis",
        vmin=min(lowest, 99.0),
        vmax=100,
        rasterized=values.size > _SMALL**2,
    )
    axes.invert_yaxis()
    axes.set_aspect("equal" if len(attributes) > len(classes) // 2 else "auto")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    _name(axes, "x", attributes)
    _name(axes, "y", classes)
    return mesh


def _name(axes: Axes, which: str, names: list[str]) -> None:
    """Names beside rows or columns if they are few; of marks, the class without the shape."""
    shown = [printable(name.rpartition(" of ")[2]) for name in names]
    places = [place + 0.5 for place in range(len(names))] if len(names) <= _SMALL else []
    set_ticks = axes.set_xticks if which == "x" else axes.set_yticks
    if which == "x" and max(map(len, shown)) > 3:
        set_ticks(places, shown if places else [], rotation=90)
    else:
        set_ticks(places, shown if places else [])
