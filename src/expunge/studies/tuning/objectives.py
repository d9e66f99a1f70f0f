"""The objectives of a search: the gap to Retrain, or evidence that needs no retrained model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from expunge.errors import ConfigError, DivergedError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.measure import add_measure
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.runtime import read_facts
from expunge.methods import get_method
from expunge.metrics import DEFAULT_METRICS
from expunge.metrics.gap import gap
from expunge.runs import Store
from expunge.studies.grid import failure, read_measures
from expunge.studies.tuning.evidence import Evidence, overspent, remembered, utility
from expunge.studies.tuning.settings import Tuning

if TYPE_CHECKING:
    from expunge.data.facts import Facts


class Bench:
    """Where trials are made: a store, and a function that makes a graph's missing nodes."""

    def __init__(self, store: Store, run: Callable[[Graph], None]) -> None:
        self.store = store
        self.run = run

    def graph(self) -> Graph:
        """A new graph over the store, for the next round of nodes."""
        return Graph(self.store)


@dataclass(frozen=True)
class Case:
    """A model and what it is to forget."""

    run_id: str
    """The model before unlearning."""
    scenario: str
    retrain: Any = None
    """Settings of the Retrain that an oracle compares with; None: its own defaults."""
    facts: Facts | None = field(default=None, compare=False, repr=False)
    """Of its data, if that node may not have been made yet."""


@dataclass(frozen=True)
class Score:
    """The value to minimise, in points, and its parts."""

    value: float
    terms: Mapping[str, float]


class Objective(Protocol):
    """Judges one unlearned model."""

    @property
    def populations(self) -> tuple[str, ...]:
        """The populations that it reads the model's outputs on, beside what is measured."""
        ...

    @property
    def reference_id(self) -> str | None:
        """The retrained model, if the objective uses one."""
        ...

    def score(self, model_id: str) -> Score:
        """The model's score; lower is better."""
        ...


class Oracle:
    """The mean gap to Retrain in UA, MIA-efficacy, RA and TA: how the paper tuned.

    It needs the test set, and the retrained model that unlearning is meant to spare.
    """

    populations: tuple[str, ...] = ()

    def __init__(self, bench: Bench, case: Case, budget: float) -> None:
        """Retrain, unless the store has the retrained model; `budget` is not used."""
        self._bench, self._case = bench, case
        graph = bench.graph()
        self.reference_id = add_reference(graph, case)
        bench.run(graph)
        self._reference = measured(bench, case, self.reference_id, self.reference_id)

    def score(self, model_id: str) -> Score:
        """The mean of the four gaps, and each gap."""
        found = measured(self._bench, self._case, model_id, self.reference_id)
        gaps = gap(found, self._reference)
        value = gaps.pop("avg")
        return Score(value, {f"gap_{name}": points for name, points in gaps.items()})


class NoOracle:
    """Points by which the forget set is remembered, plus points of utility lost beyond a budget.

    It uses what a practitioner has: the model before unlearning, training and validation data.
    """

    populations: tuple[str, ...] = ("train", "validation")
    reference_id = None

    def __init__(self, bench: Bench, case: Case, budget: float) -> None:
        """`budget` is how many points RA and the validation accuracy may each lose at no cost.

        Raises:
            ConfigError: the data has no validation part.
        """
        self._bench, self._case, self._budget = bench, case, budget
        graph = bench.graph()
        facts = read_facts(bench.store.path(graph.data_of(case.run_id)))
        if "validation" not in facts.parts:
            raise ConfigError(
                f"choosing without an oracle needs validation data, and {case.run_id} has none: "
                "train it with --validation-fraction 0.1 (validation_fraction in a recipe's [data])"
            )
        self._forget_id = add_case(graph, case)
        bench.run(graph)
        self._before = utility(self._evidence(case.run_id))

    def score(self, model_id: str) -> Score:
        """Both parts of the objective, and the remaining utility."""
        evidence = self._evidence(model_id)
        after = utility(evidence)
        terms = {
            "remembered": remembered(evidence),
            "overspent": overspent(after, self._before, self._budget),
        }
        return Score(sum(terms.values()), {**terms, **after})

    def _evidence(self, model_id: str) -> Evidence:
        store, graph = self._bench.store, self._bench.graph()
        nodes = {name: add_predict(graph, model_id, name) for name in self.populations}
        self._bench.run(graph)
        train, held_out = (load_predictions(store.path(node)) for node in nodes.values())
        facts = read_facts(store.path(graph.data_of(model_id)))
        chosen = load_forget(store.path(self._forget_id))
        now = set(chosen["ids"])
        forget = np.array([facts.train.ids[row] in now for row in train["rows"].tolist()])
        return Evidence(
            train_logits=train["logits"],
            train_labels=train["labels"],
            validation_logits=held_out["logits"],
            validation_labels=held_out["labels"],
            forget=forget,
            classes=chosen["classes"],
        )


JUDGES: Mapping[str, type[Oracle] | type[NoOracle]] = {
    "oracle": Oracle,
    "no_oracle": NoOracle,
}
"""By the name of the objective."""


def make_objective(bench: Bench, case: Case, tuning: Tuning) -> Objective:
    """The objective of a search, ready to use.

    Raises:
        ConfigError: it lacks data.
    """
    return JUDGES[tuning.objective](bench, case, tuning.budget)


def add_case(graph: Graph, case: Case) -> str:
    """The node of the forget set.

    Raises:
        ForgetError: the scenario does not fit the data.
    """
    facts = case.facts or read_facts(graph.store.path(graph.data_of(case.run_id)))
    return add_forget(graph, case.run_id, case.scenario, facts=facts)


def add_reference(graph: Graph, case: Case) -> str:
    """The retrained model that an oracle compares with."""
    config = get_method("retrain").config() if case.retrain is None else case.retrain
    return add_unlearn(graph, case.run_id, add_case(graph, case), "retrain", config)


def add_before(graph: Graph, case: Case, tuning: Tuning) -> str | None:
    """What a search needs before its trials; the retrained model, if its objective uses one."""
    reference = None
    if tuning.objective == "oracle":
        reference = add_reference(graph, case)
        add_judged(graph, case, reference, tuning, reference)
    add_judged(graph, case, case.run_id, tuning, reference)
    return reference


def add_judged(
    graph: Graph, case: Case, model_id: str, tuning: Tuning, reference: str | None
) -> None:
    """All that is predicted and measured of one model."""
    forget = add_case(graph, case)
    for metric in DEFAULT_METRICS:
        add_measure(graph, metric, model_id, case.run_id, forget, reference)
    for population in JUDGES[tuning.objective].populations:
        add_predict(graph, model_id, population)


def measured(
    bench: Bench, case: Case, model_id: str, reference_id: str | None
) -> Mapping[str, Any]:
    """The metrics of a model, which every trial records, whatever the objective.

    Raises:
        DivergedError: the outputs of the model are not finite.
    """
    graph = bench.graph()
    forget = add_case(graph, case)
    nodes = {
        name: add_measure(graph, name, model_id, case.run_id, forget, reference_id)
        for name in DEFAULT_METRICS
    }
    bench.run(graph)
    reason = failure(bench.store, nodes)
    if reason is not None:
        raise DivergedError(reason)
    found: Mapping[str, Any] = read_measures(bench.store, nodes)["metrics"]
    return found
