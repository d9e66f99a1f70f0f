"""How figures tell levels of sparsity apart: a colour, dashes and a mark each."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from expunge.report.aggregate import Scenario
from expunge.report.drawing import MARKERS, PALETTE
from expunge.report.wording import ORIGINAL, RETRAIN

_DASHES: tuple[Any, ...] = ("--", ":", "-.", (0, (1, 3)), (0, (6, 1, 1, 1)), (0, (9, 3)))


def look(index: int) -> tuple[str, Any]:
    """Colour and dashes of a level."""
    return PALETTE[index % len(PALETTE)], _DASHES[index % len(_DASHES)]


def mark(index: int) -> dict[str, Any]:
    """Dense marks are filled, the others hollow: marks in the same place all show."""
    return {
        "marker": MARKERS[index % len(MARKERS)],
        "color": PALETTE[index % len(PALETTE)],
        "markeredgewidth": 1.8,
        "linestyle": "",
        "fillstyle": "none" if index else "full",
    }


def legend(
    figure: Figure, scenario: Scenario, *, retrain: bool = False, original: bool = False
) -> None:
    """Name the levels above a figure, and the lines of Retrain or of the original if asked for."""
    handles = []
    for index, level in enumerate(scenario.levels):
        color, dash = look(index)
        handles.append(Line2D([], [], **mark(index), label=level.label, markersize=8))
        if retrain and scenario.get(RETRAIN, level):
            label = f"Retrain, {level.label}"
            handles.append(Line2D([], [], color=color, linestyle=dash, label=label))
        if original and scenario.get(ORIGINAL, level):
            label = f"Original, {level.label}"
            handles.append(Line2D([], [], color=color, linestyle=dash, label=label))
    figure.legend(handles=handles, loc="outside upper left", ncols=min(6, len(handles)))


def short(title: str) -> str:
    """A method's title, cut to what fits beside an axis."""
    return title if len(title) <= 22 else f"{title[:21]}…"
