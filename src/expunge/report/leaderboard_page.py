"""The leaderboard as a page: tables of its boards, in Markdown, in HTML and on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from expunge.report.files import write_atomically
from expunge.report.leaderboard import Board, Folder, Standing
from expunge.report.text import TextTable, as_markdown, escaped, escaped_text
from expunge.report.wording import MISSING, percent, points, scenario_label, signed
from expunge.statistics.intervals import Interval

BY_HAND = "published, or by hand"
_TITLE = "Leaderboard"
_HEADER = (
    *("method", "n", "mean gap", "95 % interval", "next row minus this", "time, of Retrain’s"),
    *("chosen by", "settings"),
)


def table(board: Board) -> TextTable:
    """A board as a table."""
    notes = [f"From {board.file}: {'; '.join(board.hardware)}. {_commits(board)}"]
    if board.floor is not None:
        notes.append(
            f"Floor, Retrain by another seed: {points(board.floor.estimate)} "
            f"{_bounds(board.floor)}, n = {board.floor.n}. A smaller gap means nothing."
        )
    if board.differs:
        notes.append(
            f"Settings that are not those of the recipe as it is now: {', '.join(board.differs)}."
        )
    notes += [f"No gap: {each}." for each in board.without]
    return TextTable(
        title=f"{scenario_label(board.scenario)}, {board.level.label}",
        header=[*_HEADER],
        rows=[_row(each) for each in board.standings],
        notes=notes,
    )


def _row(each: Standing) -> list[str]:
    return [
        each.label,
        str(each.n) if each.n == each.of else f"{each.n} of {each.of}",
        points(each.gap),
        MISSING if each.interval is None else _bounds(each.interval),
        MISSING if each.to_next is None else _apart(each.to_next),
        MISSING if each.time is None else percent(each.time),
        MISSING if not any(each.config) else each.chosen_by or BY_HAND,
        " / ".join(each.config) or MISSING,
    ]


def _apart(found: Interval) -> str:
    told = "cannot be told" if found.holds_zero else "told apart"
    if not found.bounded:
        return f"{signed(found.estimate)} (no interval): {told}"
    return f"{signed(found.estimate)} ({signed(found.low)} to {signed(found.high)}): {told}"


def _bounds(found: Interval) -> str:
    if not found.bounded:
        return "(no interval)"
    return f"({points(found.low)} to {points(found.high)})"


def _commits(board: Board) -> str:
    if not board.commits:
        return "No commit is recorded."
    return f"Commit {', '.join(board.commits)}."


_WORDS = (
    "One table for each result, scenario and sparsity; results of one recipe from several machines "
    "stand beside each other and are not merged. A gap is the mean absolute difference to Retrain "
    "at the same sparsity and seed, in points. Differences are paired over seeds, and not "
    "corrected for their number: neighbours that cannot be told apart have no order."
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the page."""

    heading: str
    words: tuple[str, ...]
    """Paragraphs."""
    tables: tuple[TextTable, ...] = ()


def page_of(found: Sequence[Board], folder: Folder) -> list[Part]:
    """The page: a part for each recipe and scale, then what is not in it."""
    recipes: dict[str, list[Board]] = {}
    for board in found:
        name = board.recipe if board.scale is None else f"{board.recipe}, scale {board.scale}"
        recipes.setdefault(name, []).append(board)
    parts = [Part(heading="How to read this", words=(_WORDS,))]
    parts += [
        Part(
            heading=name,
            words=tuple(dict.fromkeys(line for board in of for line in _words(board))),
            tables=tuple(table(board) for board in of if board.standings),
        )
        for name, of in recipes.items()
    ]
    others = [
        *(f"{each.parent.name}/{each.name}: ranks no methods." for each in folder.studies),
        *(f"Not read: {line}." for line in folder.unread),
    ]
    if others:
        parts.append(Part(heading="Not in these tables", words=tuple(others)))
    return parts


def _words(board: Board) -> Iterator[str]:
    yield board.title
    if not board.standings:
        why = "; ".join(dict.fromkeys(each.partition(": ")[2] for each in board.without))
        yield (
            f"{board.file}: {scenario_label(board.scenario)}, {board.level.label}: no method has a "
            f"gap ({why or 'none was run'})."
        )


def beginning(path: Path) -> str:
    """How the page begins, by the ending of its name: another file is not replaced."""
    from expunge.report.page import BEGINS

    return f"# {_TITLE}\n" if path.suffix == ".md" else BEGINS


def write_leaderboard(path: Path, parts: Sequence[Part], reproduce: str) -> None:
    """Write the page, in Markdown or HTML by the ending of its name.

    Raises:
        StoreError: it cannot be written.
    """
    if path.suffix == ".md":
        write_atomically(path, to_markdown(parts))
        return
    from expunge.report.page import Section, write_page

    sections = [
        Section(heading=part.heading, words=part.words, tables=part.tables) for part in parts
    ]
    write_page(path, _TITLE, [], sections, reproduce)


def to_markdown(parts: Sequence[Part]) -> str:
    """The page in Markdown."""
    lines = [f"# {_TITLE}", ""]
    for part in parts:
        lines += [f"## {escaped_text(part.heading)}", ""]
        for paragraph in part.words:
            lines += [escaped_text(paragraph), ""]
        lines += [as_markdown(escaped(each)) for each in part.tables]
    return "\n".join(lines).rstrip() + "\n"
