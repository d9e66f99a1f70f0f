"""Published beside measured, as tables: no figure is called agreement without its test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from expunge.published import Published
from expunge.report.aggregate import Scenario
from expunge.report.beside import GAP, PAPER, RTE, Beside, Effect, Value, beside
from expunge.report.measures import measures_of
from expunge.report.tables import spread
from expunge.report.text import TextTable
from expunge.report.wording import (
    MISSING,
    listed,
    number,
    points,
    scenario_label,
    seconds,
    signed,
    with_bounds,
)
from expunge.statistics.comparison import LEVEL, MARGIN, SEEDS, Agreement, Compared, Sign
from expunge.statistics.intervals import Interval

_Mark = tuple[str, str, int | None]
"""A source, how it was read, and n."""

HEADER = ("Sparsity", "Method", "Measure", "Published", "Ours", "What may be said")
EFFECTS_HEADER = ("Effect", "Measure", "Published", "Ours", "Direction")

_VERDICTS: Mapping[Agreement, str] = {
    "differs": "differs",
    "differs within the margin": f"differs, by less than {MARGIN:g} point",
    "agrees": f"agrees within {MARGIN:g} point",
    "not settled": "not settled",
}
_SIGNS: Mapping[Sign, str] = {
    "same": "same direction",
    "opposite": "opposite direction",
    "not settled": "not settled",
}

TEST_NOTE = (
    "Tested: ours minus the published mean, its 95 % interval by Welch from the published mean, "
    "deviation and n, and its p-value after Holm’s correction over all tested cells. Differs: p is "
    f"below {LEVEL:g}. Agrees: it does not, and the whole interval is within {MARGIN:g} point of "
    "the published mean. An interval that is wide and contains it settles nothing."
)
DIRECTION_NOTE = (
    "Directions: the difference from Retrain (from the original, where no Retrain is published) "
    "there and here. Same or opposite only where both intervals exclude 0: the published one by "
    "its deviations and n, or by how far reading may be off; ours, in brackets, at 95 %, paired by "
    "seed and not corrected for their number."
)
GAP_NOTE = (
    "The paper’s gap is the difference of two means, and that of our means stands beside it. The "
    "gap of the other tables is the mean of the differences at each seed, which on the same seeds "
    "is never smaller."
)
RTE_NOTE = "RTE is of other hardware, so it is not compared."


def beside_tables(
    scenarios: Sequence[Scenario], results: Mapping[str, Any], *, whole: bool, effects: bool = True
) -> list[TextTable]:
    """The tables of every scenario that something is published of, as `tables_of` makes them."""
    found = beside(scenarios, results)
    return [
        table for each in found.values() for table in tables_of(each, whole=whole, effects=effects)
    ]


def tables_of(found: Beside, *, whole: bool, effects: bool = True) -> list[TextTable]:
    """The table of values and, unless `effects` is false, that of published effects, if any.

    Without `whole`, for a terminal: verdicts without their numbers, and no table of effects.
    """
    title = f"{scenario_label(found.scenario.name)}: published beside measured"
    marks = _marks(found)
    values = TextTable(
        title=title,
        header=[*HEADER],
        rows=[row for value in found.values for row in _rows(found, value, marks, whole=whole)],
        notes=_notes(found, marks),
    )
    if not (whole and effects and found.effects):
        return [values]
    differences = TextTable(
        title=f"{title}, effects",
        header=[*EFFECTS_HEADER],
        rows=[_effect_row(found, effect, marks) for effect in found.effects],
        notes=[],
    )
    return [values, differences]


def to_json(found: Beside) -> dict[str, Any]:
    """The same for a program; null where there is nothing."""
    return {
        "scenario": found.scenario.name,
        "published_setting": not found.elsewhere and found.scale == PAPER,
        "differences": [
            {"setting": each.name, "published": each.published, "ours": each.ours}
            for each in found.elsewhere
        ],
        "values": [_value_json(value) for value in found.values],
        "effects": [_effect_json(effect) for effect in found.effects],
        "not_measured": [
            {"method": method, "pruner": level.pruner, "sparsity": level.sparsity}
            for method, level in found.unmeasured
        ],
    }


def _rows(
    found: Beside, value: Value, marks: Mapping[_Mark, int], *, whole: bool
) -> list[list[str]]:
    """The row of a value; of the mean gap one for each of its definitions."""
    ours = value.summary
    place = [value.level.label, found.scenario.title(value.cell.method)]
    mark = f"[{marks[_mark(value.cell)]}]"
    if value.gap is not None and value.metric == GAP:
        theirs, of_means = points(value.gap.published), points(value.gap.of_means)
        return [
            [*place, "Mean gap, of means", f"{theirs} {mark}", of_means, MISSING],
            [*place, "Mean gap, per seed", MISSING, spread(ours), MISSING],
        ]
    if value.metric == RTE:
        theirs, here = seconds(value.stated.mean), seconds(ours.mean, ours.std)
    else:
        unit = measures_of((value.metric,), found.scenario.declared)[0].unit
        theirs = number(value.stated.mean, unit)
        if value.stated.deviation is not None:
            theirs += f"±{number(value.stated.deviation, unit)}"
        here = spread(ours, unit)
    said = _said(found, value)
    if not whole:
        said = said.rpartition(": ")[2]
    return [[*place, _measure(found, value.metric), f"{theirs} {mark}", here, said]]


def _said(found: Beside, value: Value) -> str:
    """A test, else a direction, else nothing; the verdict stands behind the last colon."""
    if value.compared is not None:
        return _tested(value.compared)
    effect = value.effect
    if effect is None:
        return MISSING
    against = found.scenario.title(effect.second[0])
    if not effect.there:
        return f"no published difference from {against}"
    here = MISSING if effect.ours is None else with_bounds(effect.ours)
    theirs = signed(effect.published.estimate)
    return f"from {against} {theirs} there, {here} here: {_SIGNS[effect.sign]}"


def _tested(found: Compared) -> str:
    p = "p < 0.001" if found.corrected < 0.001 else f"p = {found.corrected:.3f}"
    return f"{with_bounds(found.interval)}, {p}: {_VERDICTS[found.verdict]}"


def _effect_row(found: Beside, effect: Effect, marks: Mapping[_Mark, int]) -> list[str]:
    return [
        _effect_name(found, effect, marks),
        _measure(found, effect.metric),
        _published(effect.published),
        MISSING if effect.ours is None else with_bounds(effect.ours, f", n = {effect.ours.n}"),
        _SIGNS[effect.sign],
    ]


def _effect_name(found: Beside, effect: Effect, marks: Mapping[_Mark, int]) -> str:
    (first, level), (second, other) = effect.first, effect.second
    mark = next(number for (source, _, _), number in marks.items() if source == effect.source)
    title = found.scenario.title
    if effect.kind == "sparsity":
        return f"{title(first)}: {level.label} − {other.label} [{mark}]"
    return f"{title(first)} − {title(second)}, {level.label} [{mark}]"


def _published(interval: Interval) -> str:
    if interval.flat:
        return signed(interval.estimate)
    return f"{signed(interval.estimate)} ({signed(interval.low)} to {signed(interval.high)})"


def _notes(found: Beside, marks: Mapping[_Mark, int]) -> list[str]:
    values = found.values
    notes = [_setting(found), *_seeds(found)]
    if any(value.compared is not None for value in values):
        notes.append(TEST_NOTE)
    if any(value.compared is None and value.effect is not None for value in values):
        notes.append(DIRECTION_NOTE)
    notes += [_effects_note(found, marks)] if found.effects else []
    if any(value.gap is not None for value in values):
        notes.append(GAP_NOTE)
    if any(value.metric == RTE for value in values):
        notes.append(RTE_NOTE)
    if found.unmeasured:
        names = [
            f"{found.scenario.title(method)} ({level.label})" for method, level in found.unmeasured
        ]
        notes.append(f"Published and not measured here: {listed(names)}.")
    for (source, how, n), mark in marks.items():
        trials = "" if n is None else f", n = {n}"
        notes.append(f"[{mark}] {source} ({how}{trials}).")
    return notes


def _setting(found: Beside) -> str:
    """Whether this is the published setting, and if not, why."""
    if found.scale != PAPER or found.elsewhere:
        what = (
            "Another setting than the published one"
            if found.scale == PAPER
            else f"The recipe’s scale {found.scale}, not the published setting"
        )
        names = [f"{each.name} {each.ours} ({each.published} there)" for each in found.elsewhere]
        return f"{what}, so directions only{': ' * bool(names)}{'; '.join(names)}."
    if any(not cell.setting for cell in found.cells):
        return "The recipe does not say in which setting every value was published."
    said = "The settings that the sources name are those of this experiment."
    if any(len(value.ours) < SEEDS for value in found.values):
        said += f" Fewer than {SEEDS} seeds are not tested."
    if found.reconfigured:
        others = [
            f"{found.scenario.title(method)} ({each.name} {each.ours}, {each.published} there)"
            for method, each in found.reconfigured
        ]
        named = listed([*dict.fromkeys(others)])
        said += f" Of other settings, and so not tested: {named}."
    return said


def _seeds(found: Beside) -> list[str]:
    """How many seeds ours are of."""
    counts = sorted({len(value.ours) for value in found.values})
    if not counts:
        return []
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return [f"Ours: mean±standard deviation of n = {n} seed{'s' * (counts[-1] > 1)}."]


def _effects_note(found: Beside, marks: Mapping[_Mark, int]) -> str:
    """How many published effects go the same way here, and which go the other."""
    signs = Counter(effect.sign for effect in found.effects)
    opposite = [
        f"{_effect_name(found, effect, marks)} ({_measure(found, effect.metric)})"
        for effect in found.effects
        if effect.sign == "opposite"
    ]
    text = (
        f"Of {len(found.effects)} published effects (method against method, dense against sparse, "
        f"against Retrain or the original), {signs['same']} have the same direction here, "
        f"{signs['opposite']} the opposite one, and {signs['not settled']} are not settled."
    )
    return f"{text} Opposite: {'; '.join(opposite)}." if opposite else text


def _measure(found: Beside, metric: str) -> str:
    if metric == GAP:
        return "Mean gap"
    if metric == RTE:
        return "RTE"
    return measures_of((metric,), found.scenario.declared)[0].short


def _mark(cell: Published) -> _Mark:
    return (cell.source, cell.how, cell.n)


def _marks(found: Beside) -> dict[_Mark, int]:
    """A number for each source and way of reading."""
    return {key: index for index, key in enumerate(dict.fromkeys(map(_mark, found.cells)), 1)}


def _value_json(value: Value) -> dict[str, Any]:
    compared, effect, gap = value.compared, value.effect, value.gap
    return {
        "method": value.cell.method,
        "pruner": value.level.pruner,
        "sparsity": value.level.sparsity,
        "metric": value.metric,
        "source": value.cell.source,
        "how": value.cell.how,
        "published": value.stated.mean,
        "published_deviation": value.stated.deviation,
        "published_n": value.stated.n,
        "ours": value.summary.mean,
        "n": len(value.ours),
        "test": None
        if compared is None
        else {
            **_interval_json(compared.interval),
            "p": compared.p,
            "p_corrected": compared.corrected,
            "verdict": compared.verdict,
        },
        "direction": None if effect is None else _effect_json(effect),
        "gap": None
        if gap is None
        else {
            "published": gap.published,
            "of_means": gap.of_means,
            "per_seed": gap.per_seed,
        },
    }


def _effect_json(effect: Effect) -> dict[str, Any]:
    (first, level), (second, other) = effect.first, effect.second
    return {
        "kind": effect.kind,
        "metric": effect.metric,
        "first": {"method": first, "pruner": level.pruner, "sparsity": level.sparsity},
        "second": {"method": second, "pruner": other.pruner, "sparsity": other.sparsity},
        "published": _interval_json(effect.published),
        "ours": None if effect.ours is None else _interval_json(effect.ours),
        "direction": effect.sign if effect.there else None,
    }


def _interval_json(found: Interval) -> dict[str, Any]:
    low, high = found.bounds
    return {"mean": found.estimate, "low": low, "high": high, "n": found.n}
