"""Whether a scenario had a backdoor worth the name before anything was unlearned."""

from __future__ import annotations

from expunge.metrics.attack_success import BACKDOOR
from expunge.report.aggregate import Level, Scenario
from expunge.report.wording import ORIGINAL, points

ASR, ASR_ALL = "asr", "asr_all"


def no_backdoor(scenario: Scenario, level: Level) -> str:
    """Why attack success at a level says nothing of unlearning; empty if it does."""
    original = scenario.get(ORIGINAL, level)
    if original is None or ASR not in original.by_seed:
        return "the original’s ASR was not measured"
    before = original.mean(ASR)
    if before >= BACKDOOR:
        return ""
    return (
        f"the original’s ASR is {points(before)}, below {BACKDOOR:g}: there is too little of a "
        "Trojan to remove"
    )
