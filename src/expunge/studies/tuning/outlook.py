"""What a search may take, before it begins: its rounds cannot be planned whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from expunge.graph.graph import Graph
from expunge.graph.plan import Plan, plan
from expunge.runs import Store
from expunge.studies.tuning.objectives import Case, add_before
from expunge.studies.tuning.settings import Tuning
from expunge.studies.tuning.space import Space
from expunge.studies.tuning.study import add_trial


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The nodes of a search: exact before the trials, an upper count with them."""

    before: Plan
    """What is made before the first trial."""
    per_trial: int
    """How many nodes one trial adds at most; a trial that was tried before adds none."""
    trials: int

    @property
    def at_most(self) -> int:
        """All nodes of the search, at most."""
        return len(self.before.graph) + self.trials * self.per_trial

    def to_json(self) -> dict[str, Any]:
        """The counts, and the plan of what comes before the trials."""
        return {
            "before": self.before.to_json(),
            "per_trial": self.per_trial,
            "trials": self.trials,
            "at_most": self.at_most,
        }


def outlook(store: Store, case: Case, space: Space, tuning: Tuning) -> Outlook:
    """The nodes before the trials, and those of a trial with the published settings.

    Raises:
        ForgetError: the scenario does not fit the data.
        ConfigError: the run is not a model.
    """
    first = Graph(store)
    reference = add_before(first, case, tuning)
    whole = Graph(store)
    add_before(whole, case, tuning)
    add_trial(whole, case, space, tuning, space.defaults(), reference)
    return Outlook(before=plan(first), per_trial=len(whole) - len(first), trials=tuning.trials)
