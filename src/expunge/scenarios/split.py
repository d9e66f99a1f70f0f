"""Split training samples by a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.errors import ForgetError
from expunge.scenarios.base import Listed, Scenario
from expunge.scenarios.by_correction import ByCorrection

if TYPE_CHECKING:
    from expunge.types import Samples, Split


def make_split(train: Samples, scenario: Scenario) -> Split:
    """The training samples, split by the scenario into those to forget and those to retain.

    Raises:
        ForgetError: the scenario does not match, leaves a set empty, or is a correction.
    """
    import torch

    if isinstance(scenario, ByCorrection):
        raise ForgetError(
            f"{scenario.name!r} corrects samples, and a split deletes them: use expunge correct"
        )

    from expunge.types import Split

    forget, classes = scenario.select(train)
    return Split(
        train=train, forget=torch.from_numpy(forget), scenario=scenario.name, classes=classes
    )


def check_scenario(scenario: Scenario, samples: Listed) -> int:
    """How many samples a scenario chooses, before anything is loaded or drawn.

    Raises:
        ForgetError: it does not match, or leaves nothing to forget or to retain.
    """
    chosen, there = scenario.count(samples), len(samples.ids)
    if chosen == 0:
        raise ForgetError(
            f"the forget set of {scenario.name!r} is empty: expected 1 to {there - 1} samples"
        )
    if chosen >= there:
        raise ForgetError(
            f"{scenario.name!r} forgets all {there} training samples: nothing is left to retain"
        )
    return chosen
