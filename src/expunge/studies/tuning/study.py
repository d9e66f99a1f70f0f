"""The trials: Optuna proposes settings; each is unlearned, measured and scored by nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from expunge.config import to_mapping
from expunge.errors import ConfigError, DivergedError
from expunge.graph.graph import Graph
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.outcome import check_diverged
from expunge.graph.record import load_record
from expunge.studies.tuning.objectives import (
    Bench,
    Case,
    Objective,
    add_case,
    add_judged,
    measured,
)
from expunge.studies.tuning.settings import Tuning
from expunge.studies.tuning.space import Space

COMPLETE, DIVERGED = "complete", "diverged"
ORIGINALS = ("train", "prune")


class Trials:
    """The trials of one search: first the published settings, then what Optuna proposes; or a grid.

    The same seed proposes the same settings, so their nodes are found in the store. In each round
    `ahead` trials are proposed, then concluded, so that the nodes of several trials and searches
    can be made together in between.
    """

    def __init__(
        self, bench: Bench, case: Case, space: Space, tuning: Tuning, objective: Objective
    ) -> None:
        """Begin a search.

        Raises:
            ConfigError: Optuna is not installed.
        """
        self._optuna = library()
        self._bench, self._case, self._space = bench, case, space
        self._tuning, self._objective = tuning, objective
        self._seed = bench.graph().seed_of(case.run_id)
        sampler = self._optuna.samplers.TPESampler(seed=tuning.seed)
        self._study = self._optuna.create_study(sampler=sampler)
        if tuning.grid:
            for values in space.grid(tuning.trials):
                self._study.enqueue_trial(values)
        elif published := space.defaults():
            self._study.enqueue_trial(published)
        self._left = tuning.trials
        self._open: list[tuple[Any, Mapping[str, Any], str]] = []

    @property
    def ahead(self) -> int:
        """How many trials the next round has: all of a grid, where none depends on another."""
        return self._left if self._tuning.grid else min(self._left, 1)

    def propose(self, graph: Graph) -> None:
        """Add the nodes of the next trial: the unlearned model, and all that judges it."""
        trial = self._study.ask()
        values = self._space.suggest(trial)
        reference = self._objective.reference_id
        model_id = add_trial(graph, self._case, self._space, self._tuning, values, reference)
        self._open.append((trial, values, model_id))
        self._left -= 1

    def conclude(self) -> list[dict[str, Any]]:
        """The records of the trials that were proposed in this round, whose nodes are made.

        A trial that diverges is pruned, and its record has the reason.
        """
        proposed, self._open = self._open, []
        return [self._record(*each) for each in proposed]

    def _record(self, trial: Any, values: Mapping[str, Any], model_id: str) -> dict[str, Any]:
        record: dict[str, Any] = {
            "trial": trial.number,
            "chosen_by": self._tuning.objective,
            "scenario": self._case.scenario,
            "method": self._space.method.name,
            "seed": self._seed,
            "searched": values,
            "config": to_mapping(self._space.config(values)),
        }
        try:
            record |= self._outcome(model_id)
            self._study.tell(trial, record["value"])
        except DivergedError as error:
            record |= {"state": DIVERGED, "reason": str(error), "value": None}
            self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
        return record

    def _outcome(self, model_id: str) -> dict[str, Any]:
        folder = self._bench.store.path(model_id)
        check_diverged(folder)
        score = self._objective.score(model_id)
        reference = self._objective.reference_id
        return {
            "state": COMPLETE,
            "value": score.value,
            "terms": dict(score.terms),
            "metrics": dict(measured(self._bench, self._case, model_id, reference)),
            "rte_s": load_record(folder)["seconds"],
            "run": model_id,
        }


def add_trial(
    graph: Graph,
    case: Case,
    space: Space,
    tuning: Tuning,
    values: Mapping[str, Any],
    reference: str | None,
) -> str:
    """The model of a trial, and all that judges it."""
    forget = add_case(graph, case)
    model_id = add_unlearn(graph, case.run_id, forget, space.method.name, space.config(values))
    add_judged(graph, case, model_id, tuning, reference)
    return model_id


def run_trials(
    bench: Bench, case: Case, space: Space, tuning: Tuning, objective: Objective
) -> Iterator[dict[str, Any]]:
    """One record per trial, in order.

    Raises:
        ConfigError: Optuna is not installed.
        ExpungeError: a node fails for a reason other than divergence.
    """
    trials = Trials(bench, case, space, tuning, objective)
    while count := trials.ahead:
        graph = bench.graph()
        for _ in range(count):
            trials.propose(graph)
        bench.run(graph)
        yield from trials.conclude()


def best(trials: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first trial with the smallest value; None if every trial diverged."""
    complete = [trial for trial in trials if trial["state"] == COMPLETE]
    return min(complete, key=lambda trial: trial["value"], default=None)


def check_original(bench: Bench, run_id: str) -> None:
    """Refuse a node that is not a model to unlearn from.

    Raises:
        ConfigError: the run has another kind.
    """
    kind = bench.graph().node(run_id).kind
    if kind not in ORIGINALS:
        raise ConfigError(
            f"{run_id} is not a model to unlearn from: expected a run of kind "
            f"{', '.join(ORIGINALS)}"
        )


def library() -> ModuleType:
    """Optuna, which says nothing but warnings.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError('tuning needs Optuna: pip install "expunge[tune]"') from error
    # Otherwise it reports every study on standard error.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
