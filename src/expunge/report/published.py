"""The published values beside a scenario, and whether they are of its setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from expunge.published import Difference, Published, differences, published_from, read_table
from expunge.report.aggregate import Level

TROJAN = "trojan"
"""The table of the paper's Trojan figures."""

_BADNETS = {"share": 0.1, "target": 0, "size": 4, "row": -6, "column": -6, "value": 0}


def published_of(scenario: str, settings: Mapping[str, Any]) -> tuple[Published, ...]:
    """The published cells of a scenario that the recipe named.

    For documents from before recipes could, those of the Trojan where the data are poisoned so.
    """
    if "published" in settings:
        cells = [published_from(cell, "published") for cell in settings["published"]]
        return tuple(cell for cell in cells if cell.scenario == scenario)
    if same_data(settings_of(scenario, settings)):
        return tuple(replace(cell, scenario=scenario) for cell in read_table(TROJAN))
    return ()


def published_value(
    published: Sequence[Published], metric: str, method: str, level: Level
) -> float | None:
    """The first published mean of a metric, for a method at a level; None if there is none."""
    for cell in published:
        if (cell.method, cell.pruner, cell.sparsity) == (method, level.pruner, level.sparsity):
            found = cell.mean(metric)
            if found is not None:
                return found
    return None


def sources(published: Sequence[Published]) -> list[str]:
    """Every source once, in the order of the cells."""
    return list(dict.fromkeys(cell.source for cell in published))


def elsewhere(published: Sequence[Published], settings: Mapping[str, Any]) -> list[Difference]:
    """In what the experiment is not the published one of these cells; each setting once."""
    found: dict[str, Difference] = {}
    for cell in published:
        for difference in differences(cell.setting, settings_of(cell.scenario, settings)):
            found.setdefault(difference.name, difference)
    return list(found.values())


def settings_of(scenario: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings that a scenario was measured with: joined documents keep those of each."""
    for each in (settings, *settings.values()):
        if isinstance(each, Mapping):
            scenarios = each.get("scenarios")
            if isinstance(scenarios, list) and scenario in scenarios:
                return each
    return settings


def same_data(settings: Mapping[str, Any]) -> bool:
    """Whether an experiment poisons CIFAR-10 as the paper does, be it a part of it or all.

    >>> same_data({"data": {"source": "uoft-cs/cifar10", "edits": {"badnets": {}}}})
    True
    >>> same_data({"data": {"source": "digits", "edits": {"badnets": {}}}})
    False
    """
    data = _table(settings, "data")
    edits = _table(data, "edits")
    name = f"{data.get('source', '')} {data.get('name', '')}"
    given = edits.get("badnets")
    return (
        "cifar10" in name.replace("cifar100", "")
        and set(edits) == {"badnets"}
        and isinstance(given, Mapping)
        and {**_BADNETS, **given} == _BADNETS
    )


def _table(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, Mapping) else {}
