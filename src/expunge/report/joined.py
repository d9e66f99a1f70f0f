"""Several results documents as one, for one report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from expunge.errors import DataError
from expunge.report.results import check_results

_OF_SCENARIOS = ("claims", "published")
"""Settings that the report of each scenario looks up."""
_SHOWN = ("pictures", "images")
"""What a document has only if there is something to show."""


def joined(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The cells of all, under the title of the first; its settings, and the others' by their title.

    Raises:
        DataError: there is none, one does not fit the schema, or two hold the same scenario.
    """
    if not documents:
        raise DataError("expected one or more results documents, got none")
    first, *others = (check_results(each) for each in documents)
    found = {
        **first,
        "makers": [*first["makers"]],
        "metrics": dict(first["metrics"]),
        "settings": dict(first["settings"]),
        "cells": [*first["cells"]],
    }
    shown = {name: [*first.get(name, [])] for name in _SHOWN}
    for other in others:
        both = {cell["scenario"] for cell in found["cells"]}
        both &= {cell["scenario"] for cell in other["cells"]}
        if both:
            raise DataError(f"two results hold the scenario {min(both)!r}: report them apart")
        places = [_place(found["makers"], maker) for maker in other["makers"]]
        found["cells"] += [{**cell, "made_by": places[cell["made_by"]]} for cell in other["cells"]]
        found["metrics"] = {**other["metrics"], **found["metrics"]}
        settings = dict(other["settings"])
        for name in _OF_SCENARIOS:
            if listed := [*found["settings"].get(name, []), *settings.pop(name, [])]:
                found["settings"][name] = listed
        found["settings"][other["title"]] = settings
        for name in shown:
            shown[name] += other.get(name, [])
        if other["reproduce"] != first["reproduce"]:
            found["reproduce"] += f"\n{other['reproduce']}"
    return check_results(found | {name: images for name, images in shown.items() if images})


def _place(makers: list[Any], maker: Mapping[str, Any]) -> int:
    """Where a maker is in the list, which gets it if it is not there."""
    if maker not in makers:
        makers.append(maker)
    return makers.index(maker)
