"""Explained predictions as tables, and as a picture of the samples that they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from expunge.report.drawing import Drawing, save, style, to_svg
from expunge.report.page import Section, write_page
from expunge.report.text import TextTable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pictures = Mapping[str, npt.NDArray[np.uint8]]

MEANING = (
    "Helpful: without these samples the loss of the target would be higher. Harmful: without them "
    "it would be lower. The strongest come first. Scores of different targets do not compare."
)
_SHOWN = 5
_CELL = 74
"""Points of a picture with its title."""


def explanation_tables(document: Mapping[str, Any]) -> list[TextTable]:
    """One table a target: its most helpful and most harmful training samples."""
    tables = []
    for target in document["targets"]:
        rows = []
        for place in range(max(len(target["helpful"]), len(target["harmful"]))):
            cells = [str(place + 1)]
            for side in ("helpful", "harmful"):
                there = target[side][place] if place < len(target[side]) else None
                cells += ["", "", ""] if there is None else _cells(there)
            rows.append(cells)
        tables.append(
            TextTable(
                title=heading(target),
                header=["", "helpful", "class", "score", "harmful", "class", "score"],
                rows=rows,
                notes=[],
            )
        )
    return tables


def heading(target: Mapping[str, Any]) -> str:
    """A target in words: its id, its class, and what the model calls it."""
    right = target["class"] == target["called"]
    said = "and called so" if right else f"called {target['called']}"
    return f"{target['id']}: class {target['class']}, {said}"


def draw_explanation(document: Mapping[str, Any], pictures: Pictures) -> list[Drawing]:
    """A row of pictures for each target: itself, what helps it, and what harms it.

    `pictures` are uint8 `(H, W)` or `(H, W, 3)` by id; none, if inputs are not images.
    """
    if not pictures:
        return []
    name = "explanation"
    title = "Targets, and the training samples that they rest on"
    with style(name):
        figure = _rows(document["targets"], pictures)
        svg = to_svg(figure, name, title)
    return [
        Drawing(
            name=name,
            scenario="",
            kind=name,
            title=title,
            caption="Left: the target, its class and what the model calls it. Middle: the most "
            "helpful training samples with their classes. Right: the most harmful ones.",
            svg=svg,
        )
    ]


def write_explanation(
    document: Mapping[str, Any], pictures: Pictures, folder: Path, reproduce: str
) -> Path:
    """Write `explanation.html` and its figure into a folder; return the path of the page.

    Raises:
        StoreError: the folder cannot be written to.
    """
    drawings = draw_explanation(document, pictures)
    save(drawings, folder)
    path = folder / "explanation.html"
    settings = ", ".join(f"{key}={value}" for key, value in document["config"].items())
    write_page(
        path,
        "What these predictions rest on",
        [
            ("Model", document["run"]),
            ("Attributor", document["attributor"]),
            ("Settings", settings or "none"),
            ("Training samples", str(document["samples"])),
        ],
        [
            Section(
                heading="Samples",
                words=[MEANING, *document["notes"]],
                drawings=drawings,
                tables=explanation_tables(document),
            )
        ],
        reproduce,
    )
    return path


def _cells(sample: Mapping[str, Any]) -> list[str]:
    return [sample["id"], sample["class"], f"{sample['score']:.3g}"]


def _rows(targets: Sequence[Mapping[str, Any]], pictures: Pictures) -> Figure:
    columns = 2 * _SHOWN + 1
    size = (columns * _CELL / 72, len(targets) * (_CELL + 20) / 72)
    figure = Figure(figsize=size, dpi=72, layout="constrained")
    axes = figure.subplots(len(targets), columns, squeeze=False)
    for row, target in zip(axes, targets, strict=True):
        for each in row:
            each.set_axis_off()
        called = "" if target["class"] == target["called"] else f" → {target['called']}"
        shown = [(0, target["id"], f"{target['class']}{called}")]
        for start, side in ((1, "helpful"), (1 + _SHOWN, "harmful")):
            shown += [
                (start + place, sample["id"], sample["class"])
                for place, sample in enumerate(target[side][:_SHOWN])
            ]
        for place, name, label in shown:
            if name in pictures:
                row[place].imshow(pictures[name], cmap="gray", interpolation="nearest")
            row[place].set_title(label, fontsize=9, fontweight="normal", pad=2)
    for place, words in ((0, "target"), (1, "helpful"), (1 + _SHOWN, "harmful")):
        first = axes[0][place]
        first.text(0, 1.32, words, transform=first.transAxes, fontsize=10, fontweight="bold")
    return figure
