"""The main table as text: for a terminal, and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expunge.report.aggregate import Level, Scenario, aggregate
from expunge.report.results import check_results
from expunge.report.summary import findings
from expunge.report.tables import LOW_NOTE, Entry, main_table
from expunge.report.wording import scenario_label


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table as plain strings."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]


def to_text(results: Mapping[str, Any]) -> list[TextTable]:
    """The main table of every scenario as plain strings, a table for each sparsity.

    Side by side, as in the paper, they are wider than a terminal.

    Raises:
        DataError: the document does not fit the schema.
    """
    from expunge.report.beside_tables import beside_tables
    from expunge.report.searches import search_table
    from expunge.report.trojan import trojan_table

    results = check_results(results)
    scenarios = aggregate(results)
    found = []
    for scenario in scenarios:
        found += _by_level(_as_text(scenario), scenario.levels)
        trojan = trojan_table(scenario, results["settings"])
        found += [] if trojan is None else [trojan]
        searches = search_table(scenario, results)
        found += [] if searches is None else [searches]
    return found + beside_tables(scenarios, results, whole=False)


def _by_level(table: TextTable, levels: Sequence[Level]) -> list[TextTable]:
    """A table with dense beside sparse, as one table for each level; the notes under the last."""
    if len(levels) == 1:
        return [table]
    return [
        TextTable(
            title=f"{table.title}, {level.label}",
            header=[table.header[0], *_without(level, table.header[1 + place :: len(levels)])],
            rows=[[row[0], *row[1 + place :: len(levels)]] for row in table.rows],
            notes=table.notes if level is levels[-1] else [],
        )
        for place, level in enumerate(levels)
    ]


def _without(level: Level, header: Sequence[str]) -> list[str]:
    return [name.removesuffix(f" {level.label}") for name in header]


def to_markdown(results: Mapping[str, Any], *, effects: bool = True) -> str:
    """The main table of every scenario in Markdown; the lowest gaps are bold.

    `effects`: also every difference within a published source beside ours, which may take pages.

    Raises:
        DataError: the document does not fit the schema.
    """
    from expunge.report.beside_tables import beside_tables
    from expunge.report.searches import search_table
    from expunge.report.trojan import trojan_table

    results = check_results(results)
    scenarios = aggregate(results)
    found = []
    for scenario in scenarios:
        found.append(as_markdown(_as_text(scenario, bold="**", escape=True)))
        trojan = trojan_table(scenario, results["settings"])
        found += [] if trojan is None else [as_markdown(escaped(trojan))]
        searches = search_table(scenario, results)
        found += [] if searches is None else [as_markdown(escaped(searches))]
    for table in beside_tables(scenarios, results, whole=True, effects=effects):
        found.append(as_markdown(escaped(table)))
    return "\n".join(found)


def _as_text(scenario: Scenario, bold: str = "", escape: bool = False) -> TextTable:
    def safe(text: str) -> str:
        return escaped_text(text) if escape else text

    table = main_table(scenario)
    many = len(scenario.levels) > 1
    header = [
        f"{measure.short} {level.label}" if many else measure.short
        for measure in table.measures
        for level in table.levels
    ]
    n = len(scenario.seeds)
    notes = [f"({number}) {note}" for number, note in enumerate(table.notes, start=1)]
    notes.append(
        f"{n} seeds: mean±standard deviation (gap to Retrain at the same sparsity); "
        "times with their share of Retrain's."
        if n > 1
        else "One seed: no spread can be given. In brackets: gap to Retrain at the same sparsity; "
        "for times, the share of Retrain's."
    )
    if bold and any(entry.low for row in table.rows for entry in row.entries):
        notes.append(LOW_NOTE.replace("Highlighted", "Bold"))
    notes += table.legend
    notes += findings(scenario).claims
    if table.made:
        notes.append(table.made)
    return TextTable(
        title=safe(scenario_label(scenario.name)),
        header=["Method", *map(safe, header)],
        rows=[
            [safe(row.label), *(_entry_text(entry, bold) for entry in row.entries)]
            for row in table.rows
        ],
        notes=[safe(note) for note in notes],
    )


def _entry_text(entry: Entry, bold: str) -> str:
    text = entry.text + entry.mark
    if entry.note is not None:
        return f"{text} ({entry.note})"
    if entry.beside:
        text += f" ({entry.beside})"
    return f"{bold}{text}{bold}" if entry.low else text


def as_markdown(table: TextTable) -> str:
    """A table in Markdown, with its notes under it; names in it are not escaped."""
    lines = [
        f"### {table.title}",
        "",
        _markdown_row(table.header),
        _markdown_row(["---", *["---:"] * (len(table.header) - 1)]),
        *map(_markdown_row, table.rows),
        "",
        *(f"{note}  " for note in table.notes[:-1]),
        *(f"{note}\n" for note in table.notes[-1:]),
    ]
    return "\n".join(lines)


def _markdown_row(cells: Sequence[str]) -> str:
    # A bar inside a cell would end it.
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def escaped(table: TextTable) -> TextTable:
    """The same table, with names that cannot be read as HTML or Markdown."""
    return TextTable(
        title=escaped_text(table.title),
        header=[*map(escaped_text, table.header)],
        rows=[[*map(escaped_text, row)] for row in table.rows],
        notes=[*map(escaped_text, table.notes)],
    )


def escaped_text(text: str) -> str:
    """Keep names from being read as HTML or Markdown."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for char in "\\`*_[]|":
        text = text.replace(char, f"&#{ord(char)};")
    return " ".join(text.split())
