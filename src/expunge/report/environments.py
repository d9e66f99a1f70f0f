"""Which environment made each cell, and a note if there was more than one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from expunge.report.wording import cell_label, flat, level_label, listed, printable

_SAME = ("date", "engine", "commit")
"""Makers may differ in these, and yet their numbers compare: the code has a digest beside them."""


def environments(makers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The makers that differ in more than date, engine or commit, each once."""
    numbers = numbered(makers)
    return [makers[numbers.index(number)] for number in range(1, max(numbers, default=0) + 1)]


def made_by(maker: Mapping[str, Any]) -> str:
    """A maker in a few words: processor, cores, device and precision, as far as it says.

    >>> made_by({"cpu": "AMD EPYC", "cores": 2, "device": "cpu"})
    'AMD EPYC, 2 cores, cpu'
    """
    cores = maker.get("cores")
    parts = [maker.get("cpu"), None if cores is None else f"{cores} cores"]
    parts += [maker.get("device"), maker.get("precision")]
    return printable(", ".join(str(part) for part in parts if part is not None))


def numbered(makers: Sequence[Mapping[str, Any]]) -> list[int]:
    """For each maker the number of its environment, from 1.

    >>> numbered([{"threads": 1, "date": "2026-01-31"}, {"threads": 2}, {"threads": 1}])
    [1, 2, 1]
    """
    known: dict[str, int] = {}
    return [known.setdefault(repr(_facts(maker)), len(known) + 1) for maker in makers]


def made_note(cells: Sequence[Mapping[str, Any]], makers: Sequence[Mapping[str, Any]]) -> str:
    """Which cells were made by which environment; empty if there was only one."""
    numbers = numbered(makers)
    made = [(cell, numbers[cell["made_by"]]) for cell in cells]
    met = sorted({number for _, number in made})
    if len(met) < 2:
        return ""
    who = _by_seed(made) or _by_row(made)
    chosen = {number: _facts(makers[numbers.index(number)]) for number in met}
    return (
        f"Not all were made alike, so that numbers and times may differ for that alone: {who}. "
        f"{_differences(chosen)}."
    )


def _facts(maker: Mapping[str, Any]) -> dict[str, str]:
    facts = flat({name: value for name, value in maker.items() if name not in _SAME})
    return dict(sorted(facts))


def _by_seed(made: Sequence[tuple[Mapping[str, Any], int]]) -> str:
    """Empty where one seed was made by several environments."""
    of_seed: dict[int, int] = {}
    for cell, number in made:
        if of_seed.setdefault(cell["seed"], number) != number:
            return ""
    seeds: dict[int, list[int]] = {}
    for seed, number in sorted(of_seed.items()):
        seeds.setdefault(number, []).append(seed)
    return "; ".join(f"{_seeds(seeds[number])} by environment {number}" for number in sorted(seeds))


def _by_row(made: Sequence[tuple[Mapping[str, Any], int]]) -> str:
    """The cells that the most common environment did not make, row by row."""
    usual = Counter(number for _, number in made).most_common(1)[0][0]
    rows: dict[str, dict[int, list[int]]] = {}
    for cell, number in made:
        level = level_label(cell["pruner"], float(cell["sparsity"]))
        row = f"{cell_label(cell)} {level}"
        rows.setdefault(row, {}).setdefault(number, []).append(cell["seed"])
    others: dict[int, list[str]] = {}
    for row, by in rows.items():
        for number, seeds in by.items():
            if number != usual:
                text = row if len(by) == 1 else f"{row} ({_seeds(seeds)})"
                others.setdefault(number, []).append(text)
    parts = [f"{listed(others[number])} by environment {number}" for number in sorted(others)]
    return "; ".join([*parts, f"all else by environment {usual}"])


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {listed([str(seed) for seed in sorted(seeds)])}"


def _differences(chosen: Mapping[int, Mapping[str, str]]) -> str:
    """The facts in which the environments differ."""
    names = sorted({name for facts in chosen.values() for name in facts})
    differ = [name for name in names if len({facts.get(name) for facts in chosen.values()}) > 1]
    told = [
        f"environment {number} has "
        + ", ".join(f"{name.rpartition('.')[2]} {facts.get(name, 'unknown')}" for name in differ)
        for number, facts in chosen.items()
    ]
    text = printable("; ".join(told))
    return text[:1].upper() + text[1:]
