"""The report: one HTML file that explains itself and needs no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from expunge.report.aggregate import Level, Scenario, aggregate
from expunge.report.attacks import ATTACK_HEADER, ATTACK_MEASURES, attack_rows
from expunge.report.beside import beside
from expunge.report.beside_tables import tables_of
from expunge.report.comparison import comparison_json
from expunge.report.curves import why_no_curves
from expunge.report.drawing import Drawing, save
from expunge.report.draws import DRAWS_HEADER, DRAWS_NOTE, draw_rows
from expunge.report.environments import environments, numbered
from expunge.report.figures import draw
from expunge.report.files import write_atomically
from expunge.report.generation import Grid, grid_of
from expunge.report.measures import CORE, FURTHER, Measure, further, glossary
from expunge.report.paired import paired_table
from expunge.report.radar import why_no_radar
from expunge.report.results import check_results
from expunge.report.searches import search_table
from expunge.report.summary import Findings, findings
from expunge.report.tables import LOW_NOTE, Table, further_table, has_gap, main_table
from expunge.report.text import TextTable
from expunge.report.trojan import INTRODUCTION, Trojan, trojan_of
from expunge.report.trojan_pictures import Pictures, pictures_of
from expunge.report.wording import (
    MISSING,
    cell_label,
    flat,
    number,
    points,
    printable,
    scenario_label,
    seconds,
)

_VIEWS = {
    "table": "Table",
    "time": "Gap against run time",
    "radar": "Radar",
    "sparsity": "Curves over sparsity",
}
"""The views of the comparison, by what its script calls them."""


@dataclass(frozen=True, kw_only=True)
class _Section:
    """A scenario as the template shows it."""

    anchor: str
    label: str
    scenario: Scenario
    findings: Findings
    table: Table
    further: Table | None
    attacks: list[list[tuple[str, float | None]]]
    draws: list[list[tuple[str, float | None]]]
    drawings: tuple[Drawing, ...]
    not_drawn: tuple[str, ...]
    """Why figures that a report may have are missing."""
    trojan: Trojan | None
    beside: tuple[TextTable, ...]
    """What is published beside what was measured, then the published effects."""
    searches: TextTable | None
    paired: TextTable | None
    pictures: Pictures | None
    grid: Grid | None


def write_report(results: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.html` and `figures/*.svg` into a folder; return the path of the page.

    Raises:
        DataError: the document does not fit the schema.
        StoreError: the folder cannot be written to.
    """
    folder = Path(folder)
    results = check_results(results)
    scenarios = aggregate(results)
    drawings = draw(scenarios, results["settings"])
    page = _render(results, scenarios, drawings)
    save(drawings, folder / "figures")
    path = folder / "report.html"
    write_atomically(path, page)
    return path


def render_html(results: Mapping[str, Any]) -> str:
    """The report as one HTML page with styles, script and figures in it.

    Raises:
        DataError: the document does not fit the schema.
    """
    results = check_results(results)
    scenarios = aggregate(results)
    return _render(results, scenarios, draw(scenarios, results["settings"]))


def _render(
    results: Mapping[str, Any], scenarios: Sequence[Scenario], drawings: Sequence[Drawing]
) -> str:
    published = beside(scenarios, results)
    sections = [
        _Section(
            anchor=f"scenario-{index}",
            label=scenario_label(scenario.name),
            scenario=scenario,
            findings=findings(scenario),
            table=main_table(scenario),
            further=further_table(scenario),
            attacks=attack_rows(scenario),
            draws=draw_rows(scenario),
            drawings=tuple(drawing for drawing in drawings if drawing.scenario == scenario.name),
            not_drawn=_not_drawn(scenario),
            trojan=trojan_of(scenario, results["settings"]),
            beside=tuple(tables_of(published[scenario.name], whole=True))
            if scenario.name in published
            else (),
            searches=search_table(scenario, results),
            paired=paired_table(scenario),
            pictures=pictures_of(scenario, results),
            grid=grid_of(scenario, results),
        )
        for index, scenario in enumerate(scenarios, start=1)
    ]
    made_by, numbers = environments(results["makers"]), numbered(results["makers"])
    keys = frozenset(key for cell in results["cells"] for key in cell["metrics"])
    first = [measure for measure in (*CORE, *FURTHER) if measure.key in keys]
    others = further(keys, results["metrics"])
    measures = (*first, *(each for each in others if each not in FURTHER))
    script = f"{_text('script.js')}\n{_text('compare.js')}"
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # The figures' text was escaped when they were made into XML.
    environment.filters["drawn"] = Markup
    return environment.from_string(_text("template.html")).render(
        title=results["title"],
        style=Markup(_text("style.css")),
        script=Markup(script),
        script_hash=_hash(script),
        sections=sections,
        comparison=Markup(comparison_json(scenarios)),
        views=_VIEWS,
        glossary=glossary(measures, gaps=any(has_gap(each) for each in scenarios)),
        facts=_facts(made_by),
        environments=[list(flat(environment)) for environment in made_by],
        version=_version(made_by),
        settings=[
            line
            for name, value in results["settings"].items()
            if name != "published"
            for line in flat({name: value})
        ],
        reproduce=results["reproduce"],
        attack_header=ATTACK_HEADER,
        draws_header=DRAWS_HEADER,
        draws_note=DRAWS_NOTE,
        low_note=LOW_NOTE,
        trojan_note=INTRODUCTION,
        attack_measures=ATTACK_MEASURES,
        run_header=_run_header(measures, many=len(made_by) > 1),
        runs=[
            _run_row(cell, measures, numbers[cell["made_by"]] if len(made_by) > 1 else None)
            for cell in results["cells"]
        ],
    )


def _not_drawn(scenario: Scenario) -> tuple[str, ...]:
    """Of references alone no figure is expected."""
    reasons = (why_no_radar(scenario), why_no_curves(scenario)) if scenario.methods else ()
    return tuple(reason for reason in reasons if reason)


def _text(name: str) -> str:
    return resources.files("expunge.report").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """What the page's security policy calls its own script; no other may run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _facts(made_by: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The facts about the environment at the top of the page."""
    facts = []
    for name in ("date", "device", "precision", "commit"):
        values = [each[name] for each in made_by if each.get(name) is not None]
        if values:
            several = len({str(value) for value in values}) > 1
            facts.append((name.capitalize(), "several" if several else str(values[0])))
    return facts


def _version(made_by: Sequence[Mapping[str, Any]]) -> str:
    """The version of expunge; empty where it is not known or not the same for all."""
    found = {str(each.get("packages", each).get("expunge", "")) for each in made_by}
    return found.pop() if len(found) == 1 else ""


def _run_header(measures: Sequence[Measure], *, many: bool) -> tuple[str, ...]:
    return (
        *("Scenario", "Sparsity", "Method", "Seed"),
        *(measure.short for measure in measures),
        *("Mean gap", "RTE", *(("Environment",) if many else ()), "Run", "Settings"),
    )


def _run_row(
    cell: Mapping[str, Any], measures: Sequence[Measure], environment: int | None
) -> list[tuple[str, float | None]]:
    """One cell as texts and what to sort them by; None sorts by the text."""
    gap = (cell["gap"] or {}).get("avg")
    rte = cell["rte_s"]
    level = Level(float(cell["sparsity"]), cell["pruner"])
    values = [(measure.key, cell["metrics"].get(measure.key), measure.unit) for measure in measures]
    return [
        (_forgotten(cell), None),
        (level.label, level.sparsity),
        (cell_label(cell), None),
        (str(cell["seed"]), cell["seed"]),
        *(
            (MISSING if value is None else number(value, unit) + _samples(cell, key), value)
            for key, value, unit in values
        ),
        (MISSING if gap is None else points(gap), gap),
        (MISSING if rte is None else seconds(rte), rte),
        *([] if environment is None else [(str(environment), environment)]),
        (cell["run"], None),
        (_settings(cell), None),
    ]


def _forgotten(cell: Mapping[str, Any]) -> str:
    """A cell's scenario, and what its seed forgets where seeds forget different ones."""
    label, forgets = scenario_label(cell["scenario"]), cell.get("forgets")
    return label if forgets is None else f"{label}: {printable(forgets)}"


def _samples(cell: Mapping[str, Any], key: str) -> str:
    """The interval of a share of test samples; of a fixed list of samples, the count."""
    found = (cell.get("samples") or {}).get(key)
    if found is None:
        return ""
    if "low" in found:
        return f" ({points(found['low'])} to {points(found['high'])})"
    return f" ({found['count']} of {found['n']})"


def _settings(cell: Mapping[str, Any]) -> str:
    """A run's settings, and how they were chosen where that is said."""
    settings = ", ".join(f"{name}={value}" for name, value in flat(cell["config"])) or MISSING
    how = cell.get("chosen_by")
    return settings if how is None else f"{settings} (chosen by {how})"
