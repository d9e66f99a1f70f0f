"""The main table in LaTeX, in the paper's layout: per measure, dense beside sparse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from expunge.report.aggregate import Scenario, aggregate
from expunge.report.environments import made_by
from expunge.report.results import check_results
from expunge.report.summary import findings
from expunge.report.tables import LOW_NOTE, Entry, Table, main_table
from expunge.report.text import TextTable
from expunge.report.wording import listed, scenario_label

PREAMBLE = "% For the preamble: \\usepackage{booktabs,graphicx}"

_PAPER = ("ua", "mia_efficacy", "ra", "ta")
"""The order of the paper's columns; others follow."""

_SIDE_BY_SIDE = 2
"""Levels that the paper's layout has room for."""

_WRITTEN = {
    "\\": r"\textbackslash{}",
    **{char: f"\\{char}" for char in "{}#$%&_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\rightarrow$",
    "−": "$-$",
    "ℓ": r"$\ell$",
    "α": r"$\alpha$",
    "γ": r"$\gamma$",
    "θ": r"$\theta$",
    "—": "---",
    "–": "--",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "\N{NO-BREAK SPACE}": "~",
}


def to_latex(results: Mapping[str, Any]) -> str:
    """The main table of every scenario, then the other tables that Markdown has.

    Raises:
        DataError: the document does not fit the schema.
    """
    from expunge.report.beside_tables import beside_tables
    from expunge.report.drawing import slug, unused
    from expunge.report.searches import search_table
    from expunge.report.trojan import trojan_table

    results = check_results(results)
    taken: set[str] = set()
    found = []
    scenarios = aggregate(results)
    for scenario in scenarios:
        label = unused(slug(scenario.name), taken)
        found.append(_main(scenario, results, label))
        trojan = trojan_table(scenario, results["settings"])
        found += [] if trojan is None else [_plain(trojan, unused(f"{label}-trojan", taken))]
        searches = search_table(scenario, results)
        found += [] if searches is None else [_plain(searches, unused(f"{label}-searches", taken))]
    for table in beside_tables(scenarios, results, whole=True):
        found.append(_plain(table, unused("published", taken)))
    text = "\n".join(found)
    others = sorted({char for char in text if ord(char) > 0xFF})
    note = [f"% Needs XeLaTeX or LuaLaTeX, for these letters: {' '.join(others)}"] if others else []
    return "\n".join([PREAMBLE, *note, "", text])


def escaped(text: str) -> str:
    r"""The text for LaTeX: special characters print as themselves, in one line.

    >>> escaped("95 % OMP"), escaped("ℓ1-sparse_{x}"), escaped("22.53±8.16")
    ('95 \\% OMP', '$\\ell$1-sparse\\_\\{x\\}', '22.53$\\pm$8.16')
    """
    return "".join(_WRITTEN.get(char, char) for char in " ".join(text.split()))


def _main(scenario: Scenario, results: Mapping[str, Any], label: str) -> str:
    table = main_table(scenario)
    order = sorted(range(len(table.measures)), key=lambda place: _rank(table, place))
    beside = len(table.levels) <= _SIDE_BY_SIDE
    lines = (_beside if beside else _below)(table, order)
    columns = 1 + len(order) * (len(table.levels) if beside else 1)
    notes = [f"({number}) {note}" for number, note in enumerate(table.notes, start=1)]
    notes += [*table.legend, *findings(scenario).claims, *([table.made] if table.made else [])]
    return _table(_caption(scenario, results, table), label, columns, lines, notes)


def _beside(table: Table, order: Sequence[int]) -> list[str]:
    """The paper's layout: for every measure, a column a level."""
    count = len(table.levels)
    heads = [escaped(table.measures[place].short) for place in order]
    if count > 1:
        ends = [(2 + count * place, 1 + count * (place + 1)) for place in range(len(heads))]
        lines = [
            _row(["", *(f"\\multicolumn{{{count}}}{{c}}{{{name}}}" for name in heads)]),
            " ".join(f"\\cmidrule(lr){{{first}-{last}}}" for first, last in ends),
            _row(["Method", *[escaped(level.label) for level in table.levels] * len(heads)]),
        ]
    else:
        lines = [_row(["Method", *heads])]
    return [*lines, "\\midrule", *_body(table, order, range(count))]


def _below(table: Table, order: Sequence[int]) -> list[str]:
    """More levels than fit side by side: a block of rows a level."""
    lines = [_row(["Method", *(escaped(table.measures[place].short) for place in order)])]
    for at, level in enumerate(table.levels):
        head = f"\\multicolumn{{{len(order) + 1}}}{{l}}{{\\emph{{{escaped(level.label)}}}}}"
        lines += ["\\midrule", _row([head]), *_body(table, order, [at])]
    return lines


def _body(table: Table, order: Sequence[int], levels: Sequence[int]) -> list[str]:
    """The rows of these levels: references, a line, methods."""
    count = len(table.levels)
    found: dict[bool, list[str]] = {True: [], False: []}
    for row in table.rows:
        entries = [row.entries[place * count + at] for place in order for at in levels]
        found[row.reference].append(_row([escaped(row.label), *map(_entry, entries)]))
    middle = ["\\addlinespace"] if found[True] and found[False] else []
    return [*found[True], *middle, *found[False]]


def _rank(table: Table, place: int) -> tuple[int, int]:
    key = table.measures[place].key
    return (_PAPER.index(key) if key in _PAPER else len(_PAPER)), place


def _entry(entry: Entry) -> str:
    text = escaped(entry.text + entry.mark)
    if entry.note is not None:
        return f"{text}\\textsuperscript{{({entry.note})}}"
    if entry.beside:
        text += f" ({escaped(entry.beside)})"
    return f"\\textbf{{{text}}}" if entry.low else text


def _caption(scenario: Scenario, results: Mapping[str, Any], table: Table) -> str:
    """What the numbers are, over which seeds, and what they were made on."""
    seeds = [str(seed) for seed in scenario.seeds]
    over = (
        f"Mean±standard deviation over n = {len(seeds)} seeds ({', '.join(seeds)})"
        if len(seeds) > 1
        else f"n = 1: seed {seeds[0]} alone, so that no spread can be given"
    )
    bold = any(entry.low for row in table.rows for entry in row.entries)
    return (
        f"{results['title']}. {scenario_label(scenario.name)}. {over}. In brackets: the gap to "
        "Retrain at the same sparsity, in points; of times, the share of Retrain’s. "
        f"{LOW_NOTE.replace('Highlighted', 'Bold') + ' ' if bold else ''}"
        f"Hardware: {_hardware(scenario, results)}."
    )


def _hardware(scenario: Scenario, results: Mapping[str, Any]) -> str:
    used = [cell["made_by"] for cell in results["cells"] if cell["scenario"] == scenario.name]
    found = dict.fromkeys(made_by(results["makers"][number]) for number in used)
    return listed([each for each in found if each]) or "not recorded"


def _plain(table: TextTable, label: str) -> str:
    rows = [_row([*map(escaped, row)]) for row in table.rows]
    lines = [_row([*map(escaped, table.header)]), "\\midrule", *rows]
    return _table(table.title, label, len(table.header), lines, table.notes)


def _table(
    caption: str, label: str, columns: int, lines: Sequence[str], notes: Sequence[str]
) -> str:
    """A table as wide as the page at most, its notes under it."""
    return "\n".join(
        [
            "\\begin{table*}[tb]",
            "\\centering\\small",
            f"\\caption{{{escaped(caption)}}}",
            f"\\label{{tab:{label}}}",
            "\\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%",
            f"\\begin{{tabular}}{{l{'r' * (columns - 1)}}}",
            "\\toprule",
            *lines,
            "\\bottomrule",
            "\\end{tabular}}",
            *(f"\\par\\smallskip\\footnotesize\\raggedright {escaped(note)}" for note in notes),
            "\\end{table*}",
            "",
        ]
    )


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
