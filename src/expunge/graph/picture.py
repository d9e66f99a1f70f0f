"""A plan as a picture: models in columns with what is measured of them; missing in outline."""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path

from expunge.atomic import replacing
from expunge.errors import StoreError
from expunge.graph.kinds import KINDS
from expunge.graph.plan import Plan
from expunge.runs import Node

BEGINS = '<svg id="expunge-plan" '
"""How the file begins: another picture is not replaced."""
_COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f")
_WIDTH, _ROW, _TOP = 260, 44, 48
_BOX, _SMALL, _GAP, _A_LINE = 12, 7, 2, 24


def draw(plan: Plan, path: Path) -> None:
    """Write the nodes of a plan as SVG; each shows its label when the pointer is on it.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        with replacing(path) as aside:
            aside.write_text(to_svg(plan), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def to_svg(plan: Plan) -> str:
    """The picture as text: one rectangle for each node.

    Small nodes of a model, its predictions and measurements, stand in rows under the model.
    """
    missing = set(plan.missing)
    nodes = list(plan.graph)
    large = {node.id: node for node in nodes if not _belongs(node, plan)}
    small: dict[str, list[Node]] = {}
    for node in nodes:
        if node.id not in large:
            small.setdefault(node.parents["model"], []).append(node)
    places = _places(list(large.values()), small)
    kinds = [name for name in KINDS if any(node.kind == name for node in nodes)]
    colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(kinds)}
    width = max([x + _WIDTH for x, _ in places.values()] + [20 + 150 * len(kinds)])
    height = max([y for _, y in places.values()], default=0) + 2 * _ROW
    lines = [
        f'{BEGINS}xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10" '
        'style="background:#ffffff">',
    ]
    for n, name in enumerate(kinds):
        of_kind = [node for node in nodes if node.kind == name]
        there = sum(node.id not in missing for node in of_kind)
        x = 10 + n * 150
        lines.append(
            f'<circle cx="{x + 5}" cy="15" r="5" fill="{colours[name]}"/>'
            f'<text x="{x + 15}" y="19">{escape(name)}: {there} of {len(of_kind)}</text>'
        )

    def box(node: Node, x: int, y: int, size: int) -> str:
        colour = colours[node.kind]
        fill = "#ffffff" if node.id in missing else colour
        title = escape(f"{plan.graph.labels[node.id]} ({node.id})")
        return (
            f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="{fill}" '
            f'stroke="{colour}" stroke-width="1.5"><title>{title}</title></rect>'
        )

    for node in large.values():
        x, y = places[node.id]
        # Data and the original are behind every model: lines to them would hide the others.
        behind = ("data", "origin") if "model" in node.parents else ()
        for parent in {each for role, each in node.parents.items() if role not in behind}:
            if parent not in places:
                continue
            px, py = places[parent]
            lines.append(
                f'<path d="M{px + _BOX} {py + _BOX // 2} C{px + 90} {py + _BOX // 2} '
                f'{x - 60} {y + _BOX // 2} {x} {y + _BOX // 2}" fill="none" stroke="#999999" '
                'stroke-opacity="0.4"/>'
            )
    for node in large.values():
        x, y = places[node.id]
        label = escape(plan.graph.labels[node.id])
        lines.append(box(node, x, y, _BOX))
        lines.append(f'<text x="{x + _BOX + 5}" y="{y + 10}">{label}</text>')
        for number, each in enumerate(small.get(node.id, ())):
            row, column = divmod(number, _A_LINE)
            step = _SMALL + _GAP
            lines.append(box(each, x + column * step, y + _BOX + 4 + row * step, _SMALL))
    return "\n".join((*lines, "</svg>\n"))


def _belongs(node: Node, plan: Plan) -> bool:
    """Whether a node is drawn under its model."""
    return KINDS[node.kind].minor and node.parents.get("model") in plan.graph


def _places(large: list[Node], small: dict[str, list[Node]]) -> dict[str, tuple[int, int]]:
    """Where every large node lies: one column after the last of its parents."""
    columns: dict[str, int] = {}
    ends: Counter[int] = Counter()
    places = {}
    for node in large:
        before = [columns[parent] for parent in node.parents.values() if parent in columns]
        column = columns[node.id] = 1 + max(before, default=-1)
        places[node.id] = (10 + column * _WIDTH, _TOP + ends[column])
        rows = -(-len(small.get(node.id, ())) // _A_LINE)
        ends[column] += _BOX + 12 + rows * (_SMALL + _GAP)
    return places
