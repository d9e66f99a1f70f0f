"""Training samples and a scenario make a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.scenarios.base import Scenario

if TYPE_CHECKING:
    from expunge.types import Samples, Split


def make_split(train: Samples, scenario: Scenario) -> Split:
    """The training samples, divided by the scenario into those to forget and those to retain.

    Raises:
        ForgetError: the scenario does not fit the samples, or leaves one of the two sets empty.
    """
    from expunge.types import Split

    forget, classes = scenario.select(train)
    return Split(train=train, forget=forget, scenario=scenario.name, classes=classes)
