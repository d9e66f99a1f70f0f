"""Influences of source classes, and what forgetting them gives, as tables and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from expunge.report.drawing import MARKERS, PALETTE, Drawing, figure_of, save, style, to_svg
from expunge.report.text import TextTable
from expunge.report.wording import MISSING, level_label, method_label

_SHOWN = 5
"""Classes at each end of the ranking that the table shows."""
_BARS = 30
"""Classes at each end that the figure shows."""
_WAYS = {"probe": "linear probe", "fine_tuning": "fine-tuned"}


def influence_table(found: Mapping[str, Any], source: str, target: str) -> TextTable:
    """The most harmful and the most helpful classes, with intervals and what they rest on."""
    classes = found["classes"]
    order = found["ranking"]
    ends = order if len(order) <= 2 * _SHOWN else [*order[:_SHOWN], *order[-_SHOWN:]]
    samples = (found["samples"] or {}).get("validation")
    notes = [
        f"Influence: mean accuracy on {samples if samples is not None else 'the'} validation "
        f"samples of {target} of models with the class, minus that of models without it, in "
        f"percentage points; n = {found['subsets']} models of {source}, each without "
        f"{100 * found['share']:g} % of the classes. Intervals 95 % (Welch), one class at a time; "
        "p by Holm's correction over all classes.",
        _verdict(found),
        _stability(found),
        _cheap(found),
    ]
    if len(ends) < len(order):
        notes.insert(0, f"{len(order) - len(ends)} classes in between are not shown.")
    if found["diverged"]:
        notes.append(f"{found['diverged']} subset models diverged and are left out.")
    return TextTable(
        title=f"Influence of {len(order)} classes of {source} on {target}",
        header=["class", "influence", "95 % interval", "p", "models with / without", "verdict"],
        rows=[
            [
                classes[index]["name"],
                f"{classes[index]['influence']:+.2f}",
                _bounds(classes[index]),
                f"{classes[index]['p']:.2g}",
                f"{classes[index]['models_with']} / {classes[index]['models_without']}",
                classes[index]["verdict"],
            ]
            for index in ends
        ],
        notes=notes,
    )


def transfer_tables(document: Mapping[str, Any]) -> list[TextTable]:
    """Influences, then target accuracy after forgetting classes, a table for each sparsity."""
    source, target = document["source"]["name"], document["target"]["name"]
    tables = [influence_table(document["influence"], source, target)]
    rows = document["summary"]
    for pruner, sparsity in dict.fromkeys((row["pruner"], row["sparsity"]) for row in rows):
        here = [row for row in rows if (row["pruner"], row["sparsity"]) == (pruner, sparsity)]
        tables.append(
            TextTable(
                title=f"Accuracy on {target} in %, {level_label(pruner, sparsity)}",
                header=["forgotten", "method", "measured by", "accuracy", "gain", "n"],
                rows=[
                    [
                        _what(row),
                        method_label(row["method"]),
                        _WAYS[row["way"]],
                        _mean(row),
                        _interval(row["gain"]),
                        str(row["n"]),
                    ]
                    for row in here
                ],
                notes=_notes(document, pruner, sparsity),
            )
        )
    return tables


def draw_transfer(document: Mapping[str, Any]) -> list[Drawing]:
    """The ranking of the classes, and target accuracy over the number of forgotten ones."""
    target = document["target"]["name"]
    drawings = []
    titles = {
        "transfer-influence": f"Influence of source classes on {target}",
        "transfer-accuracy": f"Accuracy on {target} after forgetting source classes",
    }
    captions = {
        "transfer-influence": "Classes by influence, the most harmful first; whiskers: 95 % "
        "intervals, one class at a time.",
        "transfer-accuracy": "Means over seeds; bands: sample deviation. The line across: the "
        "source model as it is.",
    }
    draw = {"transfer-influence": _bars, "transfer-accuracy": _curves}
    for name, title in titles.items():
        with style(name):
            svg = to_svg(draw[name](document), name, title)
        drawings.append(
            Drawing(
                name=name,
                scenario="transfer",
                kind="transfer",
                title=title,
                caption=captions[name],
                svg=svg,
            )
        )
    return drawings


def write_transfer_figures(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the figures into a folder, one SVG each.

    Raises:
        StoreError: the folder cannot be written to.
    """
    return save(draw_transfer(document), folder)


def _bars(document: Mapping[str, Any]) -> Figure:
    found = document["influence"]
    order = found["ranking"]
    ends = order if len(order) <= 2 * _BARS else [*order[:_BARS], *order[-_BARS:]]
    classes = [found["classes"][index] for index in ends]
    figure = figure_of(60 + 13 * len(classes))
    axes = figure.subplots()
    colours = {"harmful": PALETTE[1], "helpful": PALETTE[2], "not settled": PALETTE[5]}
    places = range(len(classes))
    for verdict, colour in colours.items():
        here = [place for place in places if classes[place]["verdict"] == verdict]
        if not here:
            continue
        values = [classes[place]["influence"] for place in here]
        reach = [
            [
                0 if bound is None else abs(bound - value)
                for value, bound in zip(values, each, strict=True)
            ]
            for each in ([classes[place][end] for place in here] for end in ("low", "high"))
        ]
        axes.barh(here, values, xerr=reach, color=colour, label=verdict, ecolor="#737373")
    axes.axvline(0, color="#737373", linewidth=0.8)
    axes.set_yticks(places, [each["name"] for each in classes], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel("influence, percentage points")
    axes.legend()
    return figure


def _curves(document: Mapping[str, Any]) -> Figure:
    rows = document["summary"]
    ways = list(dict.fromkeys(row["way"] for row in rows))
    levels = list(dict.fromkeys((row["pruner"], row["sparsity"]) for row in rows))
    figure = figure_of(300 * len(levels) + 40)
    grid = figure.subplots(len(levels), len(ways), squeeze=False, sharex=True)
    methods = list(dict.fromkeys(row["method"] for row in rows if row["method"] != "original"))
    for level, line in zip(levels, grid, strict=True):
        for way, axes in zip(ways, line, strict=True):
            here = [
                row for row in rows if (row["pruner"], row["sparsity"], row["way"]) == (*level, way)
            ]
            for row in here:
                if row["method"] == "original":
                    axes.axhline(row["mean"], color="#737373", linewidth=1, label="nothing")
            for place, method in enumerate(methods):
                _lines(axes, [row for row in here if row["method"] == method], method, place)
            axes.set_title(f"{level_label(*level)}, {_WAYS[way]}")
            axes.set_xlabel("forgotten source classes")
            axes.set_ylabel("target accuracy, %")
    grid[0][0].legend(fontsize=9)
    return figure


def _lines(axes: Any, rows: Sequence[Mapping[str, Any]], method: str, place: int) -> None:
    dashes = {"harmful": "-", "helpful": "--", "random": ":"}
    for selection, dash in dashes.items():
        line = sorted(
            (row for row in rows if row["selection"] == selection), key=lambda row: row["number"]
        )
        if not line:
            continue
        numbers = [row["number"] for row in line]
        means = [row["mean"] for row in line]
        colour = PALETTE[place % len(PALETTE)]
        axes.plot(
            numbers,
            means,
            dash,
            color=colour,
            marker=MARKERS[place % len(MARKERS)],
            markersize=4,
            label=f"{method_label(method)}, {selection}",
        )
        if all(row["sd"] is not None for row in line):
            low = [row["mean"] - row["sd"] for row in line]
            high = [row["mean"] + row["sd"] for row in line]
            axes.fill_between(numbers, low, high, color=colour, alpha=0.1, linewidth=0)


def _verdict(found: Mapping[str, Any]) -> str:
    if not found["harmful"]:
        return "None harmful: no class's harm is told from none."
    listed = ", ".join(found["harmful"])
    return f"{len(found['harmful'])} of {len(found['classes'])} classes are harmful: {listed}."


def _stability(found: Mapping[str, Any]) -> str:
    halves = found["split_half"]
    if halves["mean"] is None:
        line = "Too few models for two halves"
    else:
        line = (
            f"Two halves of the models rank the classes with a rank correlation of "
            f"{halves['mean']:.2f} ({halves['low']:.2f} to {halves['high']:.2f} over "
            f"{halves['halvings']} halvings)"
        )
    on_test = found["on_test"]
    with_it = MISSING if on_test is None else f"{on_test:.2f}"
    return f"{line}; validation and test samples with {with_it}."


def _cheap(found: Mapping[str, Any]) -> str:
    guess = found["similarity"]
    if guess["correlation"] is None:
        return "The similarity of features says nothing here: it is the same for all classes."
    return (
        "The similarity of features, which needs the source model only, ranks the classes with a "
        f"rank correlation of {guess['correlation']:.2f} ({guess['low']:.2f} to "
        f"{guess['high']:.2f}, n = {guess['n']} classes)."
    )


def _notes(document: Mapping[str, Any], pruner: str, sparsity: float) -> list[str]:
    samples = document["target"]["samples"]["test"]
    notes = [
        f"Mean ± sample deviation over n seeds, on {samples} test samples. Gain: difference to the "
        "same source model as it is, with its 95 % interval (paired).",
    ]
    costs = _costs(document, pruner, sparsity)
    if costs:
        notes.append(costs)
    failed = sum(row["failed"] is not None for row in document["removals"])
    if failed:
        notes.append(f"{failed} models in all tables have diverged or were refused.")
    claim = document["claim"]
    if claim is not None and (claim["pruner"], claim["sparsity"]) == (pruner, sparsity):
        against = "no forgetting" if claim["against"] == "nothing" else claim["against"] + " ones"
        notes.append(
            f"Claim: forgetting the {claim['number']} most harmful classes by "
            f"{method_label(claim['method'])} gives {claim['effect']:g} points more than {against} "
            f"({_WAYS[claim['how']]}): {claim['verdict']} ({_interval(claim['difference'])})."
        )
    return notes


def _costs(document: Mapping[str, Any], pruner: str, sparsity: float) -> str:
    """Seconds of each method beside those of training the source model."""
    by_method: dict[str, list[float]] = {}
    for row in document["removals"]:
        if (row["pruner"], row["sparsity"]) == (pruner, sparsity) and row["seconds"] is not None:
            by_method.setdefault(row["method"], []).append(row["seconds"])
    parts = [
        f"{method_label(method)} {sum(seconds) / len(seconds):.1f} (n = {len(seconds)})"
        for method, seconds in by_method.items()
    ]
    return f"Mean seconds: {', '.join(parts)}." if parts else ""


def _what(row: Mapping[str, Any]) -> str:
    if row["selection"] == "nothing":
        return "nothing"
    words = {"harmful": "most harmful", "helpful": "most helpful", "random": "random"}
    return f"{row['number']} {words[row['selection']]}"


def _mean(row: Mapping[str, Any]) -> str:
    return f"{row['mean']:.2f}" + ("" if row["sd"] is None else f" ± {row['sd']:.2f}")


def _interval(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return MISSING
    if found["low"] is None:
        return f"{found['estimate']:+.2f}"
    return f"{found['estimate']:+.2f} ({_bounds(found)})"


def _bounds(found: Mapping[str, Any]) -> str:
    if found["low"] is None:
        return MISSING
    return f"{found['low']:+.2f} to {found['high']:+.2f}"
