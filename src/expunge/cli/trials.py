"""A trial of a search in one line."""

from collections.abc import Mapping
from typing import Any


def trial_said(trial: Mapping[str, Any]) -> str:
    """What a trial tried, and its points or why there are none."""
    words = " ".join(f"{name}={value:g}" for name, value in trial["searched"].items())
    verdict = trial["reason"] if trial["value"] is None else f"{trial['value']:.3f} points"
    return f"{words}: {verdict}"
