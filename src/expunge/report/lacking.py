"""Seeds that lack: which means rest on fewer seeds than the scenario has, and why."""

from __future__ import annotations

from expunge.report.aggregate import Group, Scenario
from expunge.report.wording import listed

NOT_RUN = "not run"


def lacking_notes(scenario: Scenario) -> tuple[str, ...]:
    """A sentence for each reason why a mean is not over all seeds of the scenario.

    Methods without a number in any seed are left out: their dashes have a note of their own.
    """
    total = len(scenario.seeds)
    found: dict[tuple[str, int, str], list[str]] = {}
    for level in scenario.levels:
        for method in scenario.rows:
            group = scenario.get(method, level)
            if group is None or not group.measured:
                continue
            name = f"{scenario.title(method)} ({level.label})"
            count = len(group.measured)
            if count < total:
                found.setdefault(("numbers", count, _seeds_without(scenario, group)), []).append(
                    name
                )
            gaps = len(group.by_seed.get("gap", {}))
            if 0 < gaps < count:
                found.setdefault(("gaps", gaps, group.gap_reason), []).append(name)
    return tuple(
        f"{listed(names)}: {what} of {count} of {total} seeds ({why})."
        for (what, count, why), names in found.items()
    )


def _seeds_without(scenario: Scenario, group: Group) -> str:
    """Why seeds have no numbers, the seeds of one reason together."""
    reasons: dict[str, list[str]] = {}
    for seed in scenario.seeds:
        if seed not in group.measured:
            reasons.setdefault(group.failed.get(seed, NOT_RUN), []).append(str(seed))
    return "; ".join(
        f"seed{'s' * (len(seeds) > 1)} {listed(seeds)}: {why}" for why, seeds in reasons.items()
    )
