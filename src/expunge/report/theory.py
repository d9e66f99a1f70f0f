"""The theorem's quantities as a table and as a curve over sparsity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from expunge.errors import DataError, some
from expunge.report.claims_table import claims_table
from expunge.report.drawing import MARKERS, PALETTE, Drawing, figure_of, save, slug, style, to_svg
from expunge.report.study import read_study
from expunge.report.text import TextTable
from expunge.report.wording import MISSING, level_label, method_label, scenario_label

SCHEMA = 1
"""The version of the document that this module reads."""

_QUANTITIES = ("moved", "sigma", "sigma_start", "bound", "ratio")
_FIELDS = ("scenario", "pruner", "sparsity", "n", "distances", *_QUANTITIES)


def load_theory(path: Path) -> dict[str, Any]:
    """Read and check a `theory.json`.

    Raises:
        DataError: it is missing, is not JSON, or does not hold what is drawn.
    """
    document = read_study(path, SCHEMA)
    if not isinstance(document.get("trends"), list):
        raise DataError(f"{path}: trends is missing: expected what expunge theory writes")
    rows = document.get("summary")
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path}: summary is missing or empty: expected what expunge theory writes")
    for index, row in enumerate(rows):
        missing = [name for name in _FIELDS if not isinstance(row, dict) or name not in row]
        if missing:
            raise DataError(f"{path}: summary {index}: missing {some(missing)}")
    return document


def theory_tables(document: Mapping[str, Any]) -> list[TextTable]:
    """The claims, if there are any, and one table a scenario.

    These have a row for each sparsity, with mean ± sample deviation over seeds.
    """
    # Documents of before there were claims have none.
    claims = document.get("claims", [])
    tables = [claims_table(claims)] if claims else []
    for scenario, rows in _by_scenario(document).items():
        methods = list(rows[0]["distances"])
        counts = sorted({row["n"] for row in rows})
        tables.append(
            TextTable(
                title=scenario_label(scenario),
                header=[
                    "model",
                    "‖m⊙(θt−θ0)‖",
                    "σ(m) at θt",
                    "at θ0",
                    "bound",
                    *(_distance_label(name) for name in methods),
                    "e(m)/bound",
                ],
                rows=[
                    [
                        level_label(row["pruner"], row["sparsity"]),
                        *(
                            _number(row[name])
                            for name in ("moved", "sigma", "sigma_start", "bound")
                        ),
                        *(_number(row["distances"][name]) for name in methods),
                        _number(row["ratio"]),
                    ]
                    for row in rows
                ],
                notes=[
                    f"Mean ± sample deviation, n = {', '.join(map(str, counts))}. From e(m) on: "
                    "weight distance to Retrain from the same start and in the same order.",
                    *(_trend(row) for row in document["trends"] if row["scenario"] == scenario),
                    *_left_out(document, scenario),
                ],
            )
        )
    for scenario in dict.fromkeys(row["scenario"] for row in document.get("diverged", [])):
        if scenario not in _by_scenario(document):
            notes = _left_out(document, scenario)
            tables.append(
                TextTable(title=scenario_label(scenario), header=["model"], rows=[], notes=notes)
            )
    return tables


def draw_theory(document: Mapping[str, Any]) -> list[Drawing]:
    """One figure a scenario: the bound against the error, what it is made of, the other methods."""
    drawings = []
    for scenario, rows in _by_scenario(document).items():
        name = f"theory-{slug(scenario)}"
        title = f"{scenario_label(scenario)}: the theorem over sparsity"
        with style(name):
            drawings.append(
                Drawing(
                    name=name,
                    scenario=scenario,
                    kind="theory",
                    title=title,
                    caption="Means over seeds on logarithmic scales; whiskers: sample deviation. "
                    "The bound has no constant: its slope is to be compared, not its height.",
                    svg=to_svg(_curves(rows), name, title),
                )
            )
    return drawings


def write_theory_figures(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the figure of every scenario into a folder, one SVG each.

    Raises:
        StoreError: the folder cannot be written to.
    """
    return save(draw_theory(document), folder)


def _by_scenario(document: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    scenarios: dict[str, list[dict[str, Any]]] = {}
    for row in document["summary"]:
        scenarios.setdefault(row["scenario"], []).append(row)
    return scenarios


def _curves(rows: list[dict[str, Any]]) -> Figure:
    levels = sorted({row["sparsity"] for row in rows})
    pruners = list(dict.fromkeys(row["pruner"] for row in rows if row["pruner"] != "none"))
    lines = {pruner: _line(rows, pruner) for pruner in pruners} or {"none": _line(rows, "none")}
    figure = figure_of(380)
    error, factors, others = figure.subplots(1, 3)
    for index, (pruner, line) in enumerate(lines.items()):
        look = {"color": PALETTE[index % len(PALETTE)], "marker": MARKERS[index % len(MARKERS)]}
        label = method_label(pruner) if pruner != "none" else "dense"
        add_back = [row["distances"]["add_back"] for row in line]
        _plot(error, line, add_back, levels, f"e(m), {label}", **look)
        bound = [row["bound"] for row in line]
        _plot(error, line, bound, levels, f"bound, {label}", linestyle="--", **look)
        moved = [row["moved"] for row in line]
        _plot(factors, line, moved, levels, f"‖m⊙(θt−θ0)‖, {label}", **look)
        sigma = [row["sigma"] for row in line]
        _plot(factors, line, sigma, levels, f"σ(m) at θt, {label}", linestyle="--", **look)
        sigma_start = [row["sigma_start"] for row in line]
        _plot(factors, line, sigma_start, levels, f"σ(m) at θ0, {label}", linestyle=":", **look)
    first, line = next(iter(lines.items()))
    for index, method in enumerate(line[0]["distances"]):
        distance = [row["distances"][method] for row in line]
        look = {"color": PALETTE[index % len(PALETTE)], "marker": MARKERS[index % len(MARKERS)]}
        _plot(others, line, distance, levels, _distance_label(method), **look)
    error.set_title("Unlearning error and bound", loc="left")
    factors.set_title("What the bound is made of", loc="left")
    others.set_title(
        "Distance to Retrain" + ("" if first == "none" else f", {method_label(first)}"), loc="left"
    )
    for axes in (error, factors, others):
        _logarithmic(axes)
        axes.set_xticks(range(len(levels)), [f"{100 * level:g}" for level in levels])
        axes.set_xlabel("sparsity, %")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=10, ncols=2)
    return figure


def _logarithmic(axes: Axes) -> None:
    """A logarithmic scale up, with plain numbers; finer ones where it spans little."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _line(rows: list[dict[str, Any]], pruner: str) -> list[dict[str, Any]]:
    """The rows of one pruner by sparsity; every line begins with the dense network."""
    chosen = [row for row in rows if row["pruner"] in ("none", pruner)]
    return sorted(chosen, key=lambda row: float(row["sparsity"]))


def _plot(
    axes: Axes,
    line: list[dict[str, Any]],
    values: list[Mapping[str, float | None]],
    levels: list[float],
    label: str,
    *,
    color: str,
    marker: str,
    linestyle: str = "-",
) -> None:
    places = [
        (levels.index(row["sparsity"]), value["mean"], value["sd"] or 0.0)
        for row, value in zip(line, values, strict=True)
        # A logarithmic scale has no zero.
        if value["mean"] is not None and value["mean"] > 0
    ]
    if not places:
        return
    x, mean, deviation = zip(*places, strict=True)
    # A whisker that reaches zero would have no end on the page.
    below = [min(d, 0.9 * m) for m, d in zip(mean, deviation, strict=True)]
    axes.errorbar(
        x,
        mean,
        yerr=(below, deviation),
        color=color,
        marker=marker,
        markersize=6,
        markerfacecolor="none" if linestyle != "-" else color,
        linestyle=linestyle,
        linewidth=1.5,
        elinewidth=1,
        label=label,
    )


def _trend(row: Mapping[str, Any]) -> str:
    """How well e(m) follows the bound and its parts, in one line."""
    words = {
        "bound": "the bound",
        "sigma": "σ(m) at θt",
        "sigma_start": "σ(m) at θ0",
        "moved": "‖m⊙(θt−θ0)‖",
    }
    values = [
        f"{label} {MISSING if row[name] is None else format(row[name], '.2f')}"
        for name, label in words.items()
    ]
    return (
        f"Rank correlation of e(m), {method_label(row['pruner'])}, {row['n']} models: "
        + ", ".join(values)
    )


def _left_out(document: Mapping[str, Any], scenario: str) -> list[str]:
    """What has no numbers, and why: models, and methods on models that have some."""
    # Documents of before divergence was an outcome have none.
    models = [row for row in document.get("diverged", []) if row["scenario"] == scenario]
    methods = [
        (method, row)
        for row in document["points"]
        if row["scenario"] == scenario
        for method in row.get("diverged", {})
    ]
    return [
        *(f"No numbers: {_of_seed(row)}: {row['reason']}" for row in models),
        *(
            f"No distance: {_distance_label(method)} on {_of_seed(row)}: {row['diverged'][method]}"
            for method, row in methods
        ),
    ]


def _of_seed(row: Mapping[str, Any]) -> str:
    return f"{level_label(row['pruner'], row['sparsity'])}, seed {row['seed']}"


def _distance_label(name: str) -> str:
    return "e(m)" if name == "add_back" else method_label(name)


def _number(spread: Mapping[str, float | None]) -> str:
    """Three digits, and the deviation.

    >>> _number({"mean": 0.012345, "sd": 0.001}), _number({"mean": None, "sd": None})
    ('0.0123 ± 0.0010', '—')
    """
    mean, deviation = spread["mean"], spread["sd"]
    if mean is None:
        return MISSING
    digits = max(0, 2 - math.floor(math.log10(abs(mean)))) if mean else 2
    if digits > 5:
        return f"{mean:.2e}" + ("" if deviation is None else f" ± {deviation:.1e}")
    text = f"{mean:.{digits}f}"
    return text if deviation is None else f"{text} ± {deviation:.{digits}f}"
