"""Pruners by cost, accuracy and dependence on the forgotten data: tables, a figure and a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from expunge.errors import DataError
from expunge.report.claims_table import claims_table
from expunge.report.drawing import MARKERS, PALETTE, Drawing, figure_of, save, slug, style, to_svg
from expunge.report.files import write_atomically
from expunge.report.page import Section, write_page
from expunge.report.study import read_study
from expunge.report.text import TextTable, as_markdown, escaped
from expunge.report.wording import MISSING, level_label, scenario_label

SCHEMA = 1
"""The version of the document that this module reads."""
_AGAINST = {
    "forget": "without D_f",
    "random": "without as many by lot",
    "order": "another order",
}


def load_pruning(path: Path) -> dict[str, Any]:
    """Read and check a `pruning.json`.

    Raises:
        DataError: it is missing, is not JSON, or does not hold what is shown.
    """
    document = read_study(path, SCHEMA)
    for name in ("summary", "claims"):
        if not isinstance(document.get(name), list):
            raise DataError(f"{path}: {name} is missing: expected what expunge pruning writes")
    return document


def pruning_tables(document: Mapping[str, Any]) -> list[TextTable]:
    """The claims, cost and accuracy, and a table of overlaps for each scenario."""
    rows = document["summary"]
    tables = [claims_table(document["claims"])] if document["claims"] else []
    tables.append(
        TextTable(
            title="Cost and accuracy",
            header=["pruner", "trainings", "cost", "accuracy", "n"],
            rows=[
                [
                    level_label(row["pruner"], row["sparsity"]),
                    str(row["rounds"]),
                    _number(row["cost"], 2),
                    _number(row["accuracy"], 2, sign=True),
                    str(row["n"]),
                ]
                for row in rows
            ],
            notes=[
                "Mean ± sample deviation over n seeds. Trainings: how often the network is trained "
                "after pruning. Cost: seconds of pruning and these trainings, over those of "
                "training the dense model. Accuracy: test accuracy minus that of the dense model "
                "of the same seed, percentage points.",
                *(
                    f"{level_label(row['pruner'], row['sparsity'])}: {row['failed']} seeds gave no "
                    "model, and are left out."
                    for row in rows
                    if row["failed"]
                ),
            ],
        )
    )
    return [*tables, *(_overlap_table(rows, scenario) for scenario in _scenarios(document))]


def write_pruning(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write `pruning.html`, `pruning.md` and the figures; return all paths, the page first.

    Raises:
        StoreError: the folder cannot be written to.
    """
    tables, drawings = pruning_tables(document), draw_pruning(document)
    page, markdown = folder / "pruning.html", folder / "pruning.md"
    seeds = {row["seed"] for row in document["pruned"]}
    write_page(
        page,
        document["title"],
        [("Seeds", str(len(seeds)))],
        [Section(heading="Pruners", words=[], drawings=drawings, tables=tables)],
        document["reproduce"],
    )
    write_atomically(markdown, "\n".join(as_markdown(escaped(table)) for table in tables))
    return [page, markdown, *save(drawings, folder)]


def draw_pruning(document: Mapping[str, Any]) -> list[Drawing]:
    """One figure a scenario: the overlap of each pruner's masks, by what they are compared with."""
    drawings = []
    for scenario in _scenarios(document):
        name = f"pruning-{slug(scenario)}"
        title = f"{scenario_label(scenario)}: overlap of masks"
        with style(name):
            drawings.append(
                Drawing(
                    name=name,
                    scenario=scenario,
                    kind="pruning",
                    title=title,
                    caption="Means over seeds; whiskers: sample deviation. 1: the same mask.",
                    svg=to_svg(_overlap_figure(document["summary"], scenario), name, title),
                )
            )
    return drawings


def _scenarios(document: Mapping[str, Any]) -> list[str]:
    found = (each["scenario"] for row in document["summary"] for each in row["overlaps"])
    return list(dict.fromkeys(found))


def _overlap_table(rows: list[dict[str, Any]], scenario: str) -> TextTable:
    return TextTable(
        title=f"{scenario_label(scenario)}: overlap with the mask found from all samples",
        header=["pruner", "trained", "Jaccard", "kept in both", "by lot", "by lot in layers", "n"],
        rows=[
            [
                level_label(row["pruner"], row["sparsity"]),
                _AGAINST[each["against"]],
                _number(each["jaccard"], 3),
                _number(each["kept"], 3),
                _number(each["chance"], 3, deviation=False),
                _number(each["chance_by_layer"], 3, deviation=False),
                str(each["n"]),
            ]
            for row in rows
            for each in row["overlaps"]
            if each["scenario"] == scenario
        ],
        notes=[
            "Mean ± sample deviation over n seeds, all from the same initialisation. Jaccard: "
            "weights that both masks keep, of those that either keeps. Kept in both: of those that "
            "the mask from all samples keeps; beside it what a mask by lot would keep of them, "
            "over the whole network and with as many weights in each layer."
        ],
    )


def _overlap_figure(rows: list[dict[str, Any]], scenario: str) -> Figure:
    figure = figure_of(60 + 46 * len(rows))
    axes = figure.subplots()
    for index, (against, label) in enumerate(_AGAINST.items()):
        places = [
            (place + 0.2 * (index - 1), each["jaccard"]["mean"], each["jaccard"]["sd"] or 0.0)
            for place, row in enumerate(rows)
            for each in row["overlaps"]
            if (each["scenario"], each["against"]) == (scenario, against)
        ]
        if places:
            height, mean, deviation = zip(*places, strict=True)
            axes.errorbar(
                mean,
                height,
                xerr=deviation,
                color=PALETTE[index],
                marker=MARKERS[index],
                linestyle="",
                label=label,
            )
    labels = [level_label(row["pruner"], row["sparsity"]) for row in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.05)
    axes.set_xlabel("Jaccard overlap with the mask found from all samples")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=10)
    return figure


def _number(
    spread: Mapping[str, float | None], digits: int, *, sign: bool = False, deviation: bool = True
) -> str:
    """The mean with so many digits, and the deviation.

    >>> _number({"mean": 0.5, "sd": 0.1}, 2), _number({"mean": None, "sd": None}, 2)
    ('0.50 ± 0.10', '—')
    """
    mean, sd = spread["mean"], spread["sd"]
    if mean is None:
        return MISSING
    text = f"{mean:+.{digits}f}" if sign else f"{mean:.{digits}f}"
    return f"{text} ± {sd:.{digits}f}" if deviation and sd is not None else text
