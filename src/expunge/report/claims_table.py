"""The claims of a study that is not a grid, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from expunge.report.text import TextTable
from expunge.report.wording import MISSING, factor, three_digits

_FACTORS = frozenset({"cost", "error", "moved", "sigma", "sigma_start", "bound"})
"""Measures of studies whose claims are of how many times one side is the other."""


def is_of_factor(claim: Mapping[str, Any]) -> bool:
    """Whether a claim's difference, its bounds and its effect are factors."""
    return claim.get("measure") in _FACTORS


def claims_table(claims: Sequence[Mapping[str, Any]]) -> TextTable:
    """One row a claim."""
    return TextTable(
        title="Claims, named before anything was measured",
        header=["claim", "verdict", "difference", "95 % interval", "effect", "n"],
        rows=[
            [
                claim["name"],
                claim["verdict"],
                MISSING if claim["difference"] is None else show(claim["difference"]),
                _bounds(claim, show),
                _asked(claim),
                str(claim["n"]),
            ]
            for claim in claims
            for show in (factor if is_of_factor(claim) else three_digits,)
        ],
        notes=[
            "The first side minus the second, or for factors (×) divided by it, paired over seeds, "
            "with the t-interval; n is seeds. A claim holds where the interval lies beyond no "
            "difference in the claim's direction and does not exclude the effect, or where all of "
            "it is within the effect."
        ],
    )


def _bounds(claim: Mapping[str, Any], show: Callable[[float], str]) -> str:
    if claim["low"] is None or claim["high"] is None:
        return MISSING
    return f"{show(claim['low'])} to {show(claim['high'])}"


def _asked(claim: Mapping[str, Any]) -> str:
    """The effect with its direction, as `lower by ×5` or `within 0.05`."""
    size = factor(claim["effect"]) if is_of_factor(claim) else f"{claim['effect']:g}"
    return f"within {size}" if claim["direction"] == "within" else f"{claim['direction']} by {size}"
