"""A cleanse in a figure: the ASR that is left, by the share of the poison that was known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from expunge.report.drawing import INK, PALETTE, Drawing, figure_of, save, style, to_svg

NAME = "known"


def write_curve(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `known.svg` into a folder, if shares of the poison were forgotten and ASR measured.

    Raises:
        StoreError: the folder cannot be written to.
    """
    rows = [row for row in document["stages"] if row["metrics"].get("asr") is not None]
    cleansed = [row for row in rows if row["stage"] == "cleansed"]
    if len(cleansed) < 2:
        return []
    title = "Attack success by the share of the poison that is known"
    with style(NAME):
        drawing = Drawing(
            name=NAME,
            scenario=document["scenario"],
            kind="trojan",
            title=title,
            caption="Whiskers: 95 % intervals over test images.",
            svg=to_svg(_curves(rows, cleansed), NAME, title),
        )
    return save([drawing], folder)


def _curves(rows: list[dict[str, Any]], cleansed: list[dict[str, Any]]) -> Figure:
    figure = figure_of(400)
    for axes, (key, title) in zip(
        figure.subplots(1, 2), (("asr", "ASR, %"), ("ta", "SA, %")), strict=True
    ):
        there = [row for row in cleansed if row["metrics"].get(key) is not None]
        shares = [100 * row["share"] for row in there]
        values = [row["metrics"][key] for row in there]
        bounds = [row["samples"][key] for row in there]
        below = [value - found["low"] for value, found in zip(values, bounds, strict=True)]
        above = [found["high"] - value for value, found in zip(values, bounds, strict=True)]
        axes.errorbar(shares, values, yerr=(below, above), color=PALETTE[0], marker="o")
        before = rows[0]["metrics"].get(key)
        if before is not None:
            axes.axhline(before, color=INK, linestyle="--", linewidth=1.2)
            axes.annotate("before", (0, before), textcoords="offset points", xytext=(2, -12))
        axes.set_title(title, loc="left")
        axes.set_xlabel("share of the poison that is forgotten, %")
        axes.set_xlim(0, 103)
        if key == "asr":
            axes.set_ylim(-3, 103)
    return figure
