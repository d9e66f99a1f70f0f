"""Draw what `growth.py` measured.

`python -m benchmarks.growth_figure results/benchmarks/growth-cpu.json`.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from benchmarks.growth import SERIES, Series, held, of_series, time
from expunge.report.drawing import MARKERS, PALETTE, Drawing, figure_of, save, style, to_svg
from expunge.report.wording import method_label
from expunge.runs import read_object

NAME = "growth"
TITLE = "Time and memory of every method as the work grows"
LABELS = {"samples": "samples", "forget": "samples to forget", "parameters": "parameters"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    save([drawing(read_object(options.results)["cases"])], options.folder)


def drawing(cases: Sequence[dict[str, Any]], series: Sequence[Series] = SERIES) -> Drawing:
    with style(NAME):
        svg = to_svg(panels(cases, series), NAME, TITLE)
    return Drawing(name=NAME, scenario="", kind=NAME, title=TITLE, caption="", svg=svg)


def panels(cases: Sequence[dict[str, Any]], series: Sequence[Series]) -> Figure:
    """A column for each thing that grows; seconds above, memory below."""
    figure = figure_of(620)
    times, memories = figure.subplots(2, len(series), sharey="row", sharex="col")
    for one, above, below in zip(series, times, memories, strict=True):
        _lines(above, cases, one, time)
        _lines(below, cases, one, lambda case: held(case) / 2**20)
        below.set_xlabel(LABELS[one.along])
    times[0].set_ylabel("seconds")
    memories[0].set_ylabel("MiB more than before")
    figure.legend(*times[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    return figure


def _lines(
    axes: Axes,
    cases: Sequence[dict[str, Any]],
    series: Series,
    value: Callable[[dict[str, Any]], float],
) -> None:
    sizes: set[float] = set()
    for index, method in enumerate(dict.fromkeys(case["method"] for case in cases)):
        line = of_series(cases, method, series)
        at = [case[series.along] for case in line]
        axes.plot(
            at,
            [value(case) for case in line],
            color=PALETTE[index % len(PALETTE)],
            marker=MARKERS[index % len(MARKERS)],
            label=method_label(method),
        )
        sizes |= set(at)
    axes.set(xscale="log", yscale="log", xmargin=0.1)
    axes.set_xticks(sorted(sizes), [f"{size:,}" for size in sorted(sizes)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))


if __name__ == "__main__":
    main()
