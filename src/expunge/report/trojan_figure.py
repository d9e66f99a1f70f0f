"""The curves of Trojan cleanse over sparsity, beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from expunge.published import Published
from expunge.report.aggregate import Level, Scenario
from expunge.report.backdoor import ASR, ASR_ALL
from expunge.report.drawing import INK, MARKERS, PALETTE, Drawing, figure_of, slug, style, to_svg
from expunge.report.published import published_of, published_value
from expunge.report.trojan import SA
from expunge.report.wording import ORIGINAL, RETRAIN, RETRAIN_AGAIN, method_label, scenario_label
from expunge.statistics.intervals import over_seeds

PANELS = (
    (ASR, "ASR, images of other classes"),
    (ASR_ALL, "ASR over all images, the paper’s"),
    (SA, "SA, clean images"),
)


def draw_trojan(scenario: Scenario, settings: Mapping[str, Any], stem: str) -> list[Drawing]:
    """A figure for each pruner, or one of the dense models; `stem` begins its names.

    Empty where ASR was not measured.
    """
    if not any(ASR in group.by_seed for group in scenario.groups.values()):
        return []
    pruners = list(dict.fromkeys(level.pruner for level in scenario.levels if level.sparsity))
    drawings = []
    for pruner in pruners or ["none"]:
        name = f"{stem}-trojan" + (f"-{slug(pruner)}" if len(pruners) > 1 else "")
        what = f"{scenario_label(scenario.name)}: attack success and accuracy over sparsity"
        levels = [each for each in scenario.levels if each.pruner in ("none", pruner)]
        published = published_of(scenario.name, settings)
        with style(name):
            svg = to_svg(_curves(scenario, levels, published), name, what)
        drawings.append(
            Drawing(
                name=name,
                scenario=scenario.name,
                kind="trojan",
                title=what if len(pruners) < 2 else f"{what}, {method_label(pruner)}",
                caption="Means over seeds; whiskers: 95 % intervals over seeds, none for a single "
                "seed. Good: ASR falls to Retrain’s, and SA stays."
                + (" Dotted: the published curves, digitised." if published else ""),
                svg=svg,
            )
        )
    return drawings


def _curves(scenario: Scenario, levels: Sequence[Level], published: Sequence[Published]) -> Figure:
    measured = {key for group in scenario.groups.values() for key in group.by_seed}
    panels = [(key, title) for key, title in PANELS if key in measured]
    figure = figure_of(400)
    for axes, (key, title) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for index, method in enumerate(m for m in scenario.rows if m != RETRAIN_AGAIN):
            look = _look(index, method)
            _line(axes, scenario, levels, key, method, look)
            _published(axes, levels, published, key, method, look)
        axes.set_title(title, loc="left")
        axes.set_xticks(range(len(levels)), [f"{100 * level.sparsity:g}" for level in levels])
        axes.set_xlim(-0.3, len(levels) - 0.7)
        axes.set_xlabel("sparsity, %")
        if key == SA:
            _at_least(axes, 4.0)
        else:
            axes.set_ylim(-3, 103)
    named: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    figure.legend(
        handles=[*named.values()],
        labels=[*named],
        loc="outside lower center",
        ncols=min(6, len(named)),
    )
    return figure


def _at_least(axes: Axes, points: float) -> None:
    """Widen the scale: noise of half a point must not look like a difference."""
    low, high = axes.get_ylim()
    spare = max(0.0, points - (high - low)) / 2
    axes.set_ylim(low - spare, high + spare)


def _look(index: int, method: str) -> dict[str, Any]:
    color = INK if method == ORIGINAL else PALETTE[index % len(PALETTE)]
    return {"color": color, "marker": MARKERS[index % len(MARKERS)], "markersize": 6}


def _line(
    axes: Axes,
    scenario: Scenario,
    levels: Sequence[Level],
    key: str,
    method: str,
    look: Mapping[str, Any],
) -> None:
    places, means, below, above = [], [], [], []
    for place, level in enumerate(levels):
        group = scenario.get(method, level)
        if group is None or key not in group.by_seed:
            continue
        mean, found = group.mean(key), over_seeds(group.by_seed[key])
        bounded = found is not None and found.bounded
        low = max(0.0, found.low) if bounded and found else mean
        high = min(100.0, found.high) if bounded and found else mean
        places.append(place)
        means.append(mean)
        below.append(max(0.0, mean - low))
        above.append(max(0.0, high - mean))
    if places:
        axes.errorbar(
            places,
            means,
            yerr=(below, above),
            linestyle="--" if method == RETRAIN else "-",
            linewidth=1.6,
            elinewidth=1,
            label=scenario.title(method),
            **look,
        )


def _published(
    axes: Axes,
    levels: Sequence[Level],
    published: Sequence[Published],
    key: str,
    method: str,
    look: Mapping[str, Any],
) -> None:
    there = [
        (place, value)
        for place, level in enumerate(levels)
        if (value := published_value(published, key, method, level)) is not None
    ]
    if there:
        label = f"{method_label(method)}, published"
        axes.plot(
            *zip(*there, strict=True),
            linestyle=":",
            linewidth=1.3,
            alpha=0.8,
            fillstyle="none",
            label=label,
            **look,
        )
