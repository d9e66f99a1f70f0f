"""Draw a plan: nodes in columns, parents to the left, missing nodes in outline."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path

from expunge.atomic import replacing
from expunge.errors import StoreError
from expunge.graph.kinds import KINDS
from expunge.graph.plan import Plan
from expunge.runs import Node

_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f")
_WIDTH, _ROW, _BOX = 150, 14, 10
_TOP = 44


def draw(plan: Plan, path: Path) -> None:
    """Write the nodes of a plan as SVG; each shows its label on hover.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        with replacing(path) as aside:
            aside.write_text(to_svg(plan), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def to_svg(plan: Plan) -> str:
    """The picture as SVG text."""
    missing = set(plan.missing)
    places = _places(list(plan.graph))
    kinds = [name for name in KINDS if any(node.kind == name for node in plan.graph)]
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(kinds)}
    width = _WIDTH * max(1 + max((x for x, _ in places.values()), default=0), len(kinds))
    height = _TOP + _ROW * (2 + max((y for _, y in places.values()), default=0))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for n, name in enumerate(kinds):
        count = sum(node.kind == name for node in plan.graph)
        there = sum(node.kind == name and node.id not in missing for node in plan.graph)
        x = 10 + n * _WIDTH
        lines.append(
            f'<rect x="{x}" y="10" width="{_BOX}" height="{_BOX}" fill="{colours[name]}"/>'
            f'<text x="{x + 15}" y="19">{escape(name)}: {there} of {count}</text>'
        )
    for node in plan.graph:
        x, y = _at(places[node.id])
        for parent in node.parents.values():
            if parent in places:
                px, py = _at(places[parent])
                lines.append(
                    f'<line x1="{px + _BOX}" y1="{py + _BOX / 2:g}" x2="{x}" y2="{y + _BOX / 2:g}" '
                    'stroke="#999999" stroke-opacity="0.35"/>'
                )
    for node in plan.graph:
        x, y = _at(places[node.id])
        colour = colours[node.kind]
        fill = "#ffffff" if node.id in missing else colour
        title = escape(f"{plan.graph.labels[node.id]} ({node.id})")
        lines.append(
            f'<rect x="{x}" y="{y}" width="{_BOX}" height="{_BOX}" fill="{fill}" '
            f'stroke="{colour}" stroke-width="1.5"><title>{title}</title></rect>'
        )
    return "\n".join((*lines, "</svg>\n"))


def _places(nodes: list[Node]) -> dict[str, tuple[int, int]]:
    """Column and row of every node: one column to the right of its rightmost parent."""
    columns: dict[str, int] = {}
    rows: Counter[int] = Counter()
    places = {}
    for node in nodes:
        before = [columns[parent] for parent in node.parents.values() if parent in columns]
        column = columns[node.id] = 1 + max(before, default=-1)
        places[node.id] = (column, rows[column])
        rows[column] += 1
    return places


def _at(place: tuple[int, int]) -> tuple[int, int]:
    column, row = place
    return 10 + column * _WIDTH, _TOP + row * _ROW
