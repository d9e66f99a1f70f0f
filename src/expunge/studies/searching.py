"""Searches of a grid: a method's settings, chosen for each scenario and sparsity on another seed.

The paper chose some settings for the smallest gap to Retrain, cell by cell. A recipe says so by
`[methods.NAME.search]`; the seed that is searched on is none of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping, to_mapping
from expunge.errors import ConfigError, DivergedError, shown
from expunge.methods import get_method
from expunge.scenarios.by_seed import of_seed
from expunge.settings import check_range
from expunge.studies.tuning.settings import Tuning
from expunge.studies.tuning.space import Space, parse_range, space_of

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.kinds.train import Together
    from expunge.studies.recipe import Experiment
    from expunge.studies.tuning.objectives import Bench

SEARCH = "search"
KEPT_OF_TRIALS = ("searched", "value", "state", "reason", "metrics", "rte_s", "run")
"""What a result holds of a trial; metrics and run are null where it diverged."""

Place = tuple[str, str, str, float]
"""A method's label, a scenario, a pruner and a sparsity: what a search chooses settings for."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How the settings of a method are chosen, as `[methods.NAME.search]` says.

    Raises:
        ConfigError: a setting is out of range, or a range is not `LOW:HIGH` or `LOW:HIGH:log`.
    """

    seed: int
    """Of the models that are searched on; none of the table's seeds."""
    objective: str = "oracle"
    """`oracle`: the smallest gap to Retrain, as published; `no_oracle`: without a retrained
    model."""
    trials: int = 20
    """Settings that are tried, for each scenario and sparsity."""
    budget: float = 1.0
    """Points that RA and validation accuracy may each lose at no cost, for `no_oracle`."""
    proposals: int = 0
    """Seed of what is tried."""
    grid: bool = False
    """Try values at equal distances over the range of the one searched setting, as a grid does."""
    ranges: Mapping[str, str] = field(default_factory=dict)
    """Ranges as `LOW:HIGH` or `LOW:HIGH:log`, by setting; the method's own where none is given."""

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, None)
        _ = self.tuning
        self.spans()

    @property
    def tuning(self) -> Tuning:
        """The objective and the trials."""
        return Tuning(
            objective=self.objective,
            budget=self.budget,
            trials=self.trials,
            seed=self.proposals,
            grid=self.grid,
        )

    def spans(self) -> dict[str, Any]:
        """The ranges that are given.

        Raises:
            ConfigError: one is not of the form.
        """
        return dict(parse_range(f"{name}={text}") for name, text in self.ranges.items())


@dataclass(frozen=True, kw_only=True)
class Sought:
    """One search: what it chooses settings for, and where it tries them."""

    place: Place
    case: Any
    """The model that is searched on, and what it is to forget."""
    space: Space
    tuning: Tuning


def parse_search(given: object, where: str) -> Search:
    """The search that a method's table asks for.

    Raises:
        ConfigError: it is not a search.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{where} must be a table such as {{ seed = 3, objective = 'oracle' }}, "
            f"got {shown(given)}"
        )
    ranges = given.get("ranges", {})
    if not isinstance(ranges, Mapping) or not all(
        isinstance(each, str) for each in ranges.values()
    ):
        raise ConfigError(
            f"{where}: ranges must be a table such as {{ lr = '1e-5:0.1:log' }}, "
            f"got {shown(ranges)}"
        )
    return from_mapping(Search, given, where)


def plan_searches(
    graph: Graph, experiment: Experiment, together: Together | None = None
) -> list[Sought]:
    """Every search of a recipe; the models that they need before their trials are in `graph`.

    Raises:
        ConfigError: the data have no validation part, which `no_oracle` needs.
    """
    searches = {name: experiment.search(name) for name in experiment.methods}
    asked = {name: search for name, search in searches.items() if search is not None}
    if not asked:
        return []
    from expunge.studies.grid import REFERENCE, plan_bases, plan_data
    from expunge.studies.tuning.objectives import Case, add_before

    data_id, facts = plan_data(graph, experiment, None)
    found: list[Sought] = []
    for name, search in asked.items():
        if search.objective == "no_oracle" and "validation" not in facts.parts:
            raise ConfigError(
                f"methods.{name}: choosing without an oracle needs validation data: set "
                "validation_fraction in [data]"
            )
        for base in plan_bases(graph, experiment, data_id, search.seed, together):
            if not experiment.runs_at(name, base.sparsity):
                continue
            for scenario in experiment.scenarios:
                retrain = None
                if REFERENCE in experiment.methods:
                    retrain = experiment.method_config(REFERENCE, scenario)
                forgets = of_seed(scenario, search.seed, facts.class_names)
                case = Case(base.model_id, forgets, retrain, facts)
                add_before(graph, case, search.tuning)
                found.append(
                    Sought(
                        place=(name, scenario, base.pruner, base.sparsity),
                        case=case,
                        space=experiment.space(name, scenario),
                        tuning=search.tuning,
                    )
                )
    return found


def run_searches(
    bench: Bench,
    graph: Graph,
    sought: list[Sought],
    tell: Callable[[Sought, Mapping[str, Any]], None],
) -> dict[Place, dict[str, Any]]:
    """The records of every search, by what it chose for.

    In each round every search tries one setting, or, of a grid, all: the same workers then make
    them, and what trials have in common is computed once.

    `graph` is the one that they were planned in; without searches nothing is run.

    Raises:
        ConfigError: Optuna is not installed.
        DivergedError: all trials of a search diverged.
    """
    from expunge.studies.tuning.objectives import make_objective
    from expunge.studies.tuning.study import Trials, best, library

    if not sought:
        return {}
    # Before the models that are searched on, which take long.
    library()
    bench.run(graph)
    trials = {
        each.place: Trials(
            bench, each.case, each.space, each.tuning, make_objective(bench, each.case, each.tuning)
        )
        for each in sought
    }
    records: dict[Place, list[dict[str, Any]]] = {each.place: [] for each in sought}
    while ahead := {each.place: count for each in sought if (count := trials[each.place].ahead)}:
        graph = bench.graph()
        for number in range(max(ahead.values())):
            for place, count in ahead.items():
                if number < count:
                    trials[place].propose(graph)
        bench.run(graph)
        for each in sought:
            for record in trials[each.place].conclude():
                records[each.place].append(record)
                tell(each, record)
    documents = {}
    for each in sought:
        chosen = best(records[each.place])
        if chosen is None:
            raise DivergedError(
                f"{described(each)}: all {each.tuning.trials} trials diverged: give narrower "
                f"ranges; the last: {records[each.place][-1]['reason']}"
            )
        documents[each.place] = _document(each, records[each.place], chosen)
    return documents


def at_most(graph: Graph, sought: list[Sought]) -> int:
    """How many nodes the trials of all searches add at most; adds one trial of each to `graph`."""
    from expunge.studies.tuning.objectives import add_before
    from expunge.studies.tuning.study import add_trial

    total = 0
    for each in sought:
        reference = add_before(graph, each.case, each.tuning)
        values = each.space.defaults()
        model = add_trial(graph, each.case, each.space, each.tuning, values, reference)
        # Not what is new: another search may begin with the same settings, and go on with others.
        made = {model}
        for node in graph:
            if made & {*node.parents.values()}:
                made.add(node.id)
        total += each.tuning.trials * len(made)
    return total


def described(sought: Sought) -> str:
    """What a search chooses settings for, in words."""
    name, scenario, pruner, sparsity = sought.place
    level = "dense" if pruner == "none" else f"{sparsity:.0%} {pruner}"
    return f"search of {name} in {scenario}, {level}, by {sought.tuning.objective}"


def config_at(
    experiment: Experiment, place: Place, found: Mapping[Place, Mapping[str, Any]]
) -> Any:
    """A method's settings at a place of the grid: what its search found, else what is given."""
    name, scenario, *_ = place
    if place in found:
        return experiment.space(name, scenario).config(found[place]["searched"])
    return experiment.method_config(name, scenario)


def space_for(name: str, settings: Mapping[str, Any], search: Search, where: str) -> Space:
    """What a search of method `name` tries, with `settings` fixed.

    Raises:
        ConfigError: nothing is left to search, a setting is unknown, or both fixed and searched.
    """
    try:
        space = space_of(get_method(name), search.spans(), settings)
        if search.grid:
            space.grid(search.trials)
        return space
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _document(
    sought: Sought, records: list[dict[str, Any]], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    name, scenario, pruner, sparsity = sought.place
    return {
        "method": name,
        "scenario": scenario,
        "forgets": sought.case.scenario,
        "pruner": pruner,
        "sparsity": sparsity,
        "seed": records[0]["seed"],
        "objective": sought.tuning.objective,
        "ranges": {name: to_mapping(span) for name, span in sought.space.ranges.items()},
        "trials": [{key: record.get(key) for key in KEPT_OF_TRIALS} for record in records],
        "searched": chosen["searched"],
        "value": chosen["value"],
        "at_end": at_end(sought.space, chosen["searched"]),
    }


def at_end(space: Space, values: Mapping[str, Any]) -> list[str]:
    """The settings that were chosen at an end of their range: a wider one may give better ones."""
    return [name for name, span in space.ranges.items() if values[name] in (span.low, span.high)]
