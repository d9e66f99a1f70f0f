"""Searches of a grid: which settings were chosen, by what, and out of how many trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from expunge.report.aggregate import Scenario
from expunge.report.text import TextTable
from expunge.report.wording import level_label, scenario_label

HEADER = ("Method", "Sparsity", "Chosen by", "Settings", "Points", "Trials", "Diverged", "Seed")
NOTE = (
    "Settings were searched on the seed given, which is none of the table’s. Points: what the "
    "search made small; by oracle the mean gap to Retrain, without one what is still remembered "
    "and the utility lost beyond the budget."
)


def search_table(scenario: Scenario, results: Mapping[str, Any]) -> TextTable | None:
    """The searches in a scenario; None if its settings were all given."""
    found = [each for each in results.get("searches", ()) if each["scenario"] == scenario.name]
    if not found:
        return None
    ends = [
        f"{_place(each, scenario)}: {', '.join(each['at_end'])} is at an end of its range: a wider "
        "one may give a smaller value."
        for each in found
        if each["at_end"]
    ]
    return TextTable(
        title=f"{scenario_label(scenario.name)}: searches",
        header=[*HEADER],
        rows=[_row(each, scenario) for each in found],
        notes=[NOTE, *ends],
    )


def _row(search: Mapping[str, Any], scenario: Scenario) -> list[str]:
    return [
        scenario.title(search["method"]),
        level_label(search["pruner"], search["sparsity"]),
        search["objective"],
        ", ".join(f"{name} {value:g}" for name, value in search["searched"].items()),
        f"{search['value']:.2f}",
        str(len(search["trials"])),
        str(sum(trial.get("state") == "diverged" for trial in search["trials"])),
        str(search["seed"]),
    ]


def _place(search: Mapping[str, Any], scenario: Scenario) -> str:
    level = level_label(search["pruner"], search["sparsity"])
    return f"{scenario.title(search['method'])}, {level}"
