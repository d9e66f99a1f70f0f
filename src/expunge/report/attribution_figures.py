"""The attribution study's figures: scores by attributor, curves over weights, memorised samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from expunge.report.drawing import MARKERS, PALETTE, Drawing, figure_of, slug, style, to_svg
from expunge.report.wording import scenario_label

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pictures = Mapping[str, npt.NDArray[np.uint8]]

CEILING = "another seed"
RULES = {
    "product": "|θ·∂L/∂θ|",
    "gradient": "|∂L/∂θ|",
    "random": "random weights",
    "chance": "chance",
}


def draw_attribution(document: Mapping[str, Any]) -> list[Drawing]:
    """The scores by attributor, and for each scenario the curves over reset weights."""
    drawings = []
    if document["summary"]["lds"]:
        drawings.append(
            _drawing(
                "attribution-lds",
                "",
                "Linear datamodelling score by attributor",
                "Mean over seeds; whiskers: 95 % t-interval over seeds; dots: single seeds. The "
                "dashed line is the ceiling: how well two trainings of the same subsets agree.",
                _bars(document),
            )
        )
    for scenario in scenarios(document):
        drawings.append(
            _drawing(
                f"attribution-weights-{slug(scenario)}",
                scenario,
                f"{scenario_label(scenario)}: which weights carry it",
                "Left: wrong answers on the group (UA) and, dashed, on the retained samples after "
                "the highest-ranked weights are reset; means over seeds. Where both rise together, "
                "the weights carry everything and not the group. Right: the share of these weights "
                "that magnitude pruning (OMP) keeps, and dotted what chance would keep.",
                _curves(document, scenario),
            )
        )
    return drawings


def draw_memorised(document: Mapping[str, Any], pictures: Pictures) -> list[Drawing]:
    """The most memorised samples of each seed."""
    rows = [
        (row["seed"], [each for each in row["most"] if each["id"] in pictures])
        for row in document["memorisation"]
    ]
    if not any(shown for _, shown in rows):
        return []
    name = "attribution-memorised"
    with style(name):
        columns = max(len(shown) for _, shown in rows)
        figure = figure_of(96 * len(rows))
        axes = figure.subplots(len(rows), columns, squeeze=False)
        for line, (seed, shown) in zip(axes, rows, strict=True):
            for each in line:
                each.set_axis_off()
            for place, sample in enumerate(shown):
                line[place].imshow(pictures[sample["id"]], cmap="gray", interpolation="nearest")
                words = f"{sample['class']}: {sample['estimate']:.2f}"
                line[place].set_title(words, fontsize=10, fontweight="normal", pad=3)
            line[0].text(
                0, 1.45, f"seed {seed}", transform=line[0].transAxes, fontsize=10, fontweight="bold"
            )
    return [
        _drawing(
            name,
            "",
            "The most memorised training samples",
            "Each with its label and its memorisation estimate.",
            figure,
        )
    ]


def scenarios(document: Mapping[str, Any]) -> list[str]:
    """The groups whose weights were looked for."""
    return list(dict.fromkeys(row["scenario"] for row in document["summary"]["weights"]))


def _drawing(name: str, scenario: str, title: str, caption: str, figure: Figure) -> Drawing:
    with style(name):
        svg = to_svg(figure, name, title)
    return Drawing(
        name=name, scenario=scenario, kind="attribution", title=title, caption=caption, svg=svg
    )


def _bars(document: Mapping[str, Any]) -> Figure:
    summary = document["summary"]["lds"]
    shares = list(dict.fromkeys(row["retained"] for row in summary))
    labels = [
        label for label in dict.fromkeys(row["attributor"] for row in summary) if label != CEILING
    ]
    with style("attribution-lds"):
        figure = figure_of(70 + 44 * len(labels))
        panels = figure.subplots(1, len(shares), squeeze=False, sharey=True)[0]
        for axes, share in zip(panels, shares, strict=True):
            _panel(axes, document, share, labels)
    return figure


def _panel(axes: Axes, document: Mapping[str, Any], share: float, labels: list[str]) -> None:
    by_label = {
        row["attributor"]: row.get("mean")
        for row in document["summary"]["lds"]
        if row["retained"] == share
    }
    places = range(len(labels))
    for place, label in zip(places, labels, strict=True):
        found = by_label.get(label)
        if found is None:
            continue
        mean, low, high = found["mean"], found["low"], found["high"]
        colour = PALETTE[place % len(PALETTE)]
        error = None if low is None else [[mean - low], [high - mean]]
        axes.barh(place, mean, color=colour, alpha=0.35, height=0.62)
        axes.errorbar(mean, place, xerr=error, color=colour, marker="o", capsize=3)
        seeds = [
            row["mean"]
            for row in document["scores"]
            if (row["retained"], row["attributor"]) == (share, label) and row["mean"] is not None
        ]
        axes.plot(seeds, [place - 0.22] * len(seeds), ".", color=colour)
    ceiling = by_label.get(CEILING)
    if ceiling is not None:
        axes.axvline(ceiling["mean"], color=PALETTE[-1], linestyle="--", linewidth=1.5)
    axes.axvline(0, linewidth=0.8, color=PALETTE[-1])
    axes.set_yticks(list(places), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_title(f"{100 * share:g} % of the samples retained", loc="left")
    axes.set_xlabel("linear datamodelling score")


def _curves(document: Mapping[str, Any], scenario: str) -> Figure:
    points = [row for row in document["summary"]["weights"] if row["scenario"] == scenario]
    overlaps = [row for row in document["summary"]["overlaps"] if row["scenario"] == scenario]
    with style(f"attribution-weights-{slug(scenario)}"):
        figure = figure_of(380)
        left, right = figure.subplots(1, 2)
        rules = [rule for rule in RULES if any(row["rule"] == rule for row in points)]
        for place, rule in enumerate(rules):
            look = {"color": PALETTE[place], "marker": MARKERS[place]}
            line = sorted(
                (row for row in points if row["rule"] == rule), key=lambda row: row["share"]
            )
            x = [100 * row["share"] for row in line]
            left.plot(x, [row["ua"]["mean"] for row in line], label=RULES[rule], **look)
            left.plot(
                x,
                [100 - row["ra"]["mean"] for row in line],
                linestyle="--",
                markerfacecolor="none",
                **look,
            )
        left.set_xscale("log")
        left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        left.xaxis.set_minor_locator(NullLocator())
        left.set_xlabel("weights reset, %")
        left.set_title("Wrong answers, %: on the group, dashed on the rest", loc="left")
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=10, ncols=3)
        shares = sorted({row["share"] for row in overlaps})
        rules = [rule for rule in RULES if any(row["rule"] == rule for row in overlaps)]
        # The middle of the shares: few weights are a noisy share, many are not salient.
        share = shares[len(shares) // 2] if shares else None
        for place, rule in enumerate(rules):
            line = sorted(
                (row for row in overlaps if (row["rule"], row["share"]) == (rule, share)),
                key=lambda row: row["sparsity"],
            )
            x = [100 * row["sparsity"] for row in line]
            look = {"color": PALETTE[place], "marker": MARKERS[place]}
            right.plot(x, [100 * row["kept"]["mean"] for row in line], label=RULES[rule], **look)
            if not place:
                chance = [100 * row["chance"]["mean"] for row in line]
                right.plot(x, chance, linestyle=":", color=PALETTE[-1], label="chance")
        right.set_xlabel("sparsity of OMP, %")
        if share is not None:
            right.set_title(f"Of the top {100 * share:g} %, kept by OMP, %", loc="left")
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=10, ncols=3)
    return figure
