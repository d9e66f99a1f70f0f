"""How figures tell methods apart: a colour, a mark and dashes each, the same in every figure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from expunge.report.aggregate import Scenario
from expunge.report.drawing import MARKERS, PALETTE

_LONGEST = 44
_LETTERS = 116
"""About as many as stand beside each other above a figure."""
_DASHES: tuple[tuple[int, ...], ...] = ((), (6, 3), (2, 2))


@dataclass(frozen=True)
class MethodMark:
    """The name and look of one method."""

    title: str
    """What figures call it."""
    color: str
    marker: str
    """As matplotlib names it."""
    hollow: bool
    dashes: tuple[int, ...]
    """Points of line and of gap; empty for a whole line."""

    @property
    def line(self) -> dict[str, Any]:
        """As matplotlib's `plot` takes it."""
        return {
            "color": self.color,
            "marker": self.marker,
            "fillstyle": "none" if self.hollow else "full",
            "linestyle": (0, self.dashes) if self.dashes else "-",
        }


def method_marks(scenario: Scenario) -> dict[str, MethodMark]:
    """The look of every row of a scenario; six colours, so that the seventh is hollow and dashed.

    A mark is never repeated with the same colour before the nineteenth row.
    """
    found = {}
    for index, method in enumerate(scenario.rows):
        turn, color = divmod(index, len(PALETTE))
        found[method] = MethodMark(
            title=scenario.title(method),
            color=PALETTE[color],
            marker=MARKERS[(color + turn) % len(MARKERS)],
            hollow=turn % 2 == 1,
            dashes=_DASHES[turn % len(_DASHES)],
        )
    return found


def method_legend(figure: Figure, marks: Mapping[str, MethodMark], *further: Line2D) -> None:
    """Name methods above a figure, and `further` lines after them."""
    handles = [Line2D([], [], **mark.line, label=_name(mark)) for mark in marks.values()]
    handles += further
    columns = _columns([str(handle.get_label()) for handle in handles])
    figure.legend(handles=handles, loc="outside upper left", ncols=columns)


def legend_height(marks: Mapping[str, MethodMark], further: int = 0) -> float:
    """The height in points of a legend of methods and as many `further` lines."""
    columns = _columns([*map(_name, marks.values())])
    return 22.0 + 18.0 * math.ceil((len(marks) + further) / columns)


def _columns(labels: Sequence[str]) -> int:
    return max(1, min(6, len(labels), _LETTERS // (max(map(len, labels)) + 8)))


def _name(mark: MethodMark) -> str:
    return mark.title if len(mark.title) <= _LONGEST else f"{mark.title[: _LONGEST - 1]}…"
