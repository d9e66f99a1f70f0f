"""The claims of a study that is not a grid, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from expunge.report.text import TextTable
from expunge.report.wording import MISSING


def claims_table(claims: Sequence[Mapping[str, Any]], factors: Sequence[str]) -> TextTable:
    """One row a claim; differences in the measures of `factors` are factors."""
    return TextTable(
        title="Claims, named before anything was measured",
        header=["claim", "verdict", "difference", "95 % interval", "effect", "n"],
        rows=[
            [
                claim["name"],
                claim["verdict"],
                _difference(claim["difference"], claim["measure"] in factors),
                _bounds(claim, claim["measure"] in factors),
                _asked(claim, claim["measure"] in factors),
                str(claim["n"]),
            ]
            for claim in claims
        ],
        notes=[
            "The first side minus the second, or for factors (×) divided by it, paired over seeds, "
            "with the t-interval; n is seeds. A claim holds where the interval lies beyond no "
            "difference in the claim's direction and does not exclude the effect, or where all of "
            "it is within the effect."
        ],
    )


def _difference(value: float | None, factor: bool) -> str:
    if value is None:
        return MISSING
    return f"×{value:.3g}" if factor else f"{value:+.3f}"


def _bounds(claim: Mapping[str, Any], factor: bool) -> str:
    if claim["low"] is None or claim["high"] is None:
        return MISSING
    return f"{_difference(claim['low'], factor)} to {_difference(claim['high'], factor)}"


def _asked(claim: Mapping[str, Any], factor: bool) -> str:
    """The effect with its direction, as `lower by ×5` or `within 0.05`."""
    size = f"×{claim['effect']:g}" if factor else f"{claim['effect']:g}"
    return f"within {size}" if claim["direction"] == "within" else f"{claim['direction']} by {size}"
