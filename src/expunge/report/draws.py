"""Draws of the attacker's sample: how they spread, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterable

from expunge.metrics import METRICS
from expunge.metrics.draws import AGREE, FEW, MANY
from expunge.report.aggregate import Group, Scenario
from expunge.report.measures import Measure, measures_of
from expunge.report.wording import listed, points

DRAWN = frozenset(metric.name for metric in METRICS if metric.drawn)
"""Measures that are means over draws, where a document says so, and else of one draw."""

DISAGREE = "†"
"""The mark of a value whose draws disagree."""

DISAGREE_NOTE = (
    f"{DISAGREE} The draws of the attacker’s sample disagree: their standard deviation exceeds "
    f"{AGREE:g} points, and the value is the mean of {MANY}. Read the median and the percentiles "
    "beside it."
)

DRAWS_NOTE = (
    "The attacker of MIA-efficacy and MIA-privacy learns from a sample that is drawn at random. "
    f"Each value is the mean over {FEW} draws, or over {MANY} where the standard deviation of the "
    f"{FEW} exceeds {AGREE:g} points. Draw k has the same samples for every model of a scenario "
    "and seed. The standard error is of that mean; it says nothing about other seeds."
)

DRAWS_HEADER = (
    *("Sparsity", "Method", "Seed", "Measure", "Draws", "Mean", "Standard error", "Median"),
    *("5th percentile", "95th percentile", "Agree"),
)


def draw_rows(scenario: Scenario) -> list[list[tuple[str, float | None]]]:
    """A row for each value that is a mean over draws: texts, and what to sort them by.

    None sorts by the text. Empty where the document has no draws.
    """
    rows = []
    for level in scenario.levels:
        for method in scenario.rows:
            group = scenario.get(method, level)
            for key, by_seed in group.draws.items() if group else ():
                (measure,) = measures_of((key,), scenario.declared)
                for seed, found in by_seed.items():
                    numbers = [
                        found[name] for name in ("mean", "standard_error", "median", "p5", "p95")
                    ]
                    rows.append(
                        [
                            (level.label, level.sparsity),
                            (scenario.title(method), None),
                            (str(seed), float(seed)),
                            (measure.short, None),
                            (str(found["n"]), float(found["n"])),
                            *((points(number), number) for number in numbers),
                            ("yes" if found["agree"] else f"no {DISAGREE}", None),
                        ]
                    )
    return rows


def disagreeing(group: Group, key: str) -> bool:
    """Whether the draws of a measure disagree in any seed."""
    return any(not found["agree"] for found in group.draws.get(key, {}).values())


def one_draw_note(scenario: Scenario, measures: Iterable[Measure]) -> str:
    """Which measures are of one draw, in documents from before there were more; else empty.

    Where only some cells have no draws, these are named.
    """
    sentences = []
    for measure in measures:
        if measure.key in DRAWN and (cells := _without_draws(scenario, measure.key)):
            there = sum(len(g.by_seed.get(measure.key, ())) for g in scenario.groups.values())
            whose = "" if len(cells) == there else f" of {listed(cells)}"
            sentences.append(f"{measure.short}{whose}")
    if not sentences:
        return ""
    return (
        f"{listed(sentences)} {'is' if len(sentences) == 1 else 'are'} of one draw of the "
        "attacker’s sample: another draw may give other values."
    )


def _without_draws(scenario: Scenario, key: str) -> list[str]:
    """The cells with a value of a measure and no draws of it."""
    return [
        f"{group.title} ({group.level.label}, seed {seed})"
        for group in scenario.groups.values()
        for seed in sorted(group.by_seed.get(key, {}).keys() - group.draws.get(key, {}).keys())
    ]
