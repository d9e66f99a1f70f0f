"""The trials: Optuna proposes settings; each is unlearned, measured and scored by nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from expunge.config import to_mapping
from expunge.errors import ConfigError, DivergedError, unknown
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.outcome import check_diverged
from expunge.graph.record import load_record
from expunge.settings import check_range
from expunge.studies.tuning.objectives import (
    OBJECTIVES,
    Bench,
    Case,
    Objective,
    add_case,
    measured,
)
from expunge.studies.tuning.space import Space

COMPLETE, DIVERGED = "complete", "diverged"
ORIGINALS = ("train", "prune")


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The objective of a search, and its number of trials."""

    objective: str = "no_oracle"
    """`oracle`: the gap to Retrain; `no_oracle`: evidence without a retrained model."""
    budget: float = 1.0
    """Points that RA and the validation accuracy may each lose at no cost, for `no_oracle`."""
    trials: int = 20
    """How many settings to try."""
    seed: int = 0
    """Of the proposals."""

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ConfigError(unknown("objective", self.objective, OBJECTIVES))
        check_range("budget", self.budget, 0, 100)
        check_range("trials", self.trials, 1, None)
        check_range("seed", self.seed, 0, None)


def run_trials(
    bench: Bench, case: Case, space: Space, tuning: Tuning, objective: Objective
) -> Iterator[dict[str, Any]]:
    """One record per trial, in order: first the published settings, then what Optuna proposes.

    The same seed proposes the same settings, so their nodes are found in the store. A trial that
    diverges is pruned, and its record has the reason.

    Raises:
        ConfigError: Optuna is not installed.
        ExpungeError: a node fails for a reason other than divergence.
    """
    optuna = _library()
    seed = bench.graph().seed_of(case.run_id)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=tuning.seed))
    published = space.defaults()
    if published:
        study.enqueue_trial(published)
    for number in range(tuning.trials):
        trial = study.ask()
        values = space.suggest(trial)
        record: dict[str, Any] = {
            "trial": number,
            "chosen_by": tuning.objective,
            "scenario": case.scenario,
            "method": space.method.name,
            "seed": seed,
            "searched": values,
            "config": to_mapping(space.config(values)),
        }
        try:
            record |= _outcome(bench, case, space, objective, values)
            study.tell(trial, record["value"])
        except DivergedError as error:
            record |= {"state": DIVERGED, "reason": str(error), "value": None}
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        yield record


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


def _outcome(
    bench: Bench, case: Case, space: Space, objective: Objective, values: Mapping[str, Any]
) -> dict[str, Any]:
    graph = bench.graph()
    forget = add_case(graph, case)
    model_id = add_unlearn(graph, case.run_id, forget, space.method.name, space.config(values))
    bench.run(graph)
    check_diverged(bench.store.path(model_id))
    score = objective.score(model_id)
    record = load_record(bench.store.path(model_id))
    return {
        "state": COMPLETE,
        "value": score.value,
        "terms": dict(score.terms),
        "metrics": dict(measured(bench, case, model_id, objective.reference_id)),
        "rte_s": record["seconds"],
        "run": model_id,
    }


def _library() -> ModuleType:
    try:
        import optuna
    except ImportError as error:
        raise ConfigError('tuning needs Optuna: pip install "expunge[tune]"') from error
    # Otherwise it reports every study on standard error.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
