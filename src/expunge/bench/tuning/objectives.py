"""What a trial is judged by: the gap to Retrain, or what can be seen without one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from expunge.bench.stages import ensure, measure_stage, predict_stage, unlearn_stage
from expunge.bench.stages.measure import load_measured
from expunge.bench.stages.predict import load_predictions
from expunge.bench.stages.unlearn import split_for
from expunge.bench.tuning.evidence import Evidence, overspent, remembered, utility
from expunge.bench.tuning.held_out import held_out_stage, load_held_out
from expunge.bench.workspace import Workspace
from expunge.errors import ConfigError, unknown
from expunge.methods import get_method
from expunge.metrics.gap import gap


@dataclass(frozen=True)
class Case:
    """What is to be forgotten, and by which model."""

    run_id: str
    """The model before unlearning."""
    scenario: str


@dataclass(frozen=True)
class Score:
    """What is minimised, in points, and what it is made of."""

    value: float
    terms: Mapping[str, float]


class Objective(Protocol):
    """Judges one unlearned model."""

    @property
    def reference_id(self) -> str | None:
        """The retrained model, where the objective sees one."""
        ...

    def score(self, model_id: str) -> Score:
        """How bad the model is."""
        ...


class Oracle:
    """The mean gap to Retrain in UA, MIA-efficacy, RA and TA: how the paper tuned.

    It needs the model that unlearning is to save one from making, and the test set.
    """

    def __init__(self, workspace: Workspace, case: Case, budget: float) -> None:
        """Retrains, where the store has no retrained model yet; `budget` is not used."""
        self._workspace, self._case = workspace, case
        config = get_method("retrain").config()
        self.reference_id = ensure(
            workspace, unlearn_stage(workspace, case.run_id, case.scenario, "retrain", config)
        )
        self._reference = self._metrics(self.reference_id)

    def score(self, model_id: str) -> Score:
        """The mean of the four gaps, and the gaps."""
        gaps = gap(self._metrics(model_id), self._reference)
        value = gaps.pop("avg")
        return Score(value, {f"gap_{name}": points for name, points in gaps.items()})

    def _metrics(self, model_id: str) -> Mapping[str, float | None]:
        return measured(self._workspace, self._case, model_id, self.reference_id)


class NoOracle:
    """Points by which the forget set is remembered, plus points of utility lost beyond a budget.

    It sees the model before, the training set and validation data: what a practitioner has.
    """

    reference_id = None

    def __init__(self, workspace: Workspace, case: Case, budget: float) -> None:
        """`budget` is how many points RA and the validation accuracy may each lose for free.

        Raises:
            ConfigError: the data has no validation part.
        """
        self._workspace, self._budget = workspace, budget
        self._split = split_for(workspace, case.run_id, case.scenario)
        self._before = utility(self._evidence(case.run_id))

    def score(self, model_id: str) -> Score:
        """Both parts of the objective, and the utility that is left."""
        evidence = self._evidence(model_id)
        after = utility(evidence)
        terms = {
            "remembered": remembered(evidence),
            "overspent": overspent(after, self._before, self._budget),
        }
        return Score(sum(terms.values()), {**terms, **after})

    def _evidence(self, model_id: str) -> Evidence:
        space = self._workspace
        # Asked for first: without validation data nothing else is worth computing.
        held_out = ensure(space, held_out_stage(space, model_id))
        predictions = load_predictions(space, ensure(space, predict_stage(space, model_id)))
        logits, labels = load_held_out(space, held_out)
        train = predictions["train"]
        forget = np.zeros(len(train), dtype=np.bool_)
        forget[self._split.forget.numpy()] = True
        return Evidence(
            train_logits=train.logits,
            train_labels=train.labels,
            validation_logits=logits,
            validation_labels=labels,
            forget=forget,
            classes=self._split.classes,
        )


OBJECTIVES: Mapping[str, type[Oracle] | type[NoOracle]] = {
    "oracle": Oracle,
    "no_oracle": NoOracle,
}


def make_objective(name: str, workspace: Workspace, case: Case, budget: float) -> Objective:
    """The objective called `name`, ready to judge.

    Raises:
        ConfigError: there is none of this name, or it lacks data.
    """
    if name not in OBJECTIVES:
        raise ConfigError(unknown("objective", name, OBJECTIVES))
    return OBJECTIVES[name](workspace, case, budget)


def measured(
    workspace: Workspace, case: Case, model_id: str, reference_id: str | None
) -> Mapping[str, float | None]:
    """The metrics of a model, which are recorded of every trial, whatever it is judged by."""
    stage = measure_stage(workspace, model_id, case.run_id, case.scenario, reference_id)
    metrics: Mapping[str, float | None] = load_measured(workspace, ensure(workspace, stage))[
        "metrics"
    ]
    return metrics
