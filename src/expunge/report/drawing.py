"""How a figure becomes a file: SVG whose text stays text and whose ink follows the page.

The same input gives the same bytes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from expunge.report.files import write_atomically

PALETTE = ("#0a7abf", "#d55e00", "#00936a", "#b765a0", "#8a7500", "#737373")
"""One a level: told apart in the common colour blindnesses, readable on white and on near-black."""

MARKERS = ("o", "D", "s", "^", "v", "P")
_WIDTH = 960
"""Points; a point is a CSS pixel on a page that shows the figure at its own size."""

# A colour that nothing else uses; it becomes `currentColor`.
INK = "#010203"
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 12,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    # A dollar in a method's name is a dollar.
    "text.parse_math": False,
    "text.usetex": False,
}
_PAGE_STYLE = (
    "svg{color:#1c1f23}@media(prefers-color-scheme:dark){svg{color:#e4e6e9}}"
    "@media print{svg{color:#000}}"
)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure, ready to stand in a page."""

    name: str
    """File name without its ending."""
    scenario: str
    kind: str
    """`metrics`, `gap-vs-time`, `radar`, `sparsity`, `trojan`, `groups`, `confidence`, `theory`."""
    title: str
    caption: str
    svg: str


def save(drawings: Iterable[Drawing], folder: Path) -> list[Path]:
    """Write drawings into a folder, one SVG each.

    Raises:
        StoreError: the folder cannot be written to.
    """
    paths = []
    for drawing in drawings:
        path = Path(folder) / f"{drawing.name}.svg"
        # By itself the file has no page to take its ink from.
        write_atomically(path, drawing.svg.replace(">", f"><style>{_PAGE_STYLE}</style>", 1))
        paths.append(path)
    return paths


def figure_of(height: float) -> Figure:
    """An empty figure as wide as the page and `height` points high."""
    return Figure(figsize=(_WIDTH / 72, height / 72), dpi=72, layout="constrained")


def percent_limits(values: Iterable[float]) -> tuple[float, float]:
    """The ends of an axis of percentages: within 0 to 100, with a margin, two points or wider.

    >>> percent_limits([95.0, 105.0]), percent_limits([50.0])
    ((94.7, 100.3), (48.88, 51.12))
    """
    values = list(values)
    low, high = min(values), max(values)
    # A range of less than two points would make noise look like a difference.
    spare = max(0.0, 2.0 - (high - low)) / 2
    low, high = max(0.0, low - spare), min(100.0, high + spare)
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def root_scale(axes: Axes) -> None:
    """Put heights on a square-root scale, which spreads what is small and keeps the zero."""
    axes.set_yscale("function", functions=(_root, np.square))


def _root(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.abs(value))


@contextmanager
def style(salt: str) -> Iterator[None]:
    """Our settings of matplotlib, for as long as the block lasts."""
    settings: Any = {**_STYLE, "svg.hashsalt": salt}
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The reader's browser has the letters that the measuring font lacks.
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield


_FONT = re.compile(r"font: (?:(\w+) )?([\d.]+px) [^;]+")
_FAMILY = re.compile(r"font-family: [^;]+;? ?")
_NAMESPACE = re.compile(r"\{[^}]*\}")


def to_svg(figure: Figure, name: str, title: str) -> str:
    """The figure as SVG for a page: sized by the page, in its ink and font, with ids of its own."""
    buffer = BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    box = root.attrib["viewBox"]
    for element in root.iter():
        element.tag = _NAMESPACE.sub("", element.tag)
        element.attrib = {
            _NAMESPACE.sub("", key): _attribute(_NAMESPACE.sub("", key), value, name)
            for key, value in element.attrib.items()
        }
        for child in list(element):
            # Titles of our own, and no style that would reach beyond the figure.
            if _NAMESPACE.sub("", child.tag) in ("metadata", "style"):
                element.remove(child)
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": box,
        "role": "img",
        "aria-label": title,
        "font-family": "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
        "fill": "currentColor",
        "stroke-linejoin": "round",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return value.replace("#", f"#{name}-", 1)
    if key == "style":
        value = _FONT.sub(r"font-weight: \1; font-size: \2", value).replace("font-weight: ; ", "")
        value = _FAMILY.sub("", value)
    return value.replace("url(#", f"url(#{name}-").replace(INK, "currentColor")


def unused(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken; case does not tell file names apart everywhere."""
    chosen, count = name, 1
    while chosen.lower() in taken:
        count += 1
        chosen = f"{name}-{count}"
    taken.add(chosen.lower())
    return chosen


def slug(text: str) -> str:
    """Letters, digits, points and dashes alone, so that no name leaves its folder.

    >>> slug("class:3"), slug("ids:../../bad.csv"), slug("%")
    ('class-3', 'ids-bad.csv', 'scenario')
    """
    return re.sub(r"(?:[^A-Za-z0-9.]|\.{2,})+", "-", text).strip("-.")[:60] or "scenario"
