"""A whole search, and its document, written after every trial."""

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from expunge.config import to_mapping
from expunge.errors import DivergedError, StoreError
from expunge.graph.kinds.forget import load_forget
from expunge.graph.runtime import read_facts
from expunge.runs import read_json, write_json
from expunge.studies.made import Makers
from expunge.studies.recipe import CHOSEN_BY
from expunge.studies.tuning.objectives import (
    Bench,
    Case,
    Objective,
    add_case,
    make_objective,
    measured,
)
from expunge.studies.tuning.settings import Tuning
from expunge.studies.tuning.space import Space
from expunge.studies.tuning.study import best, check_original, run_trials

Tell = Callable[[Mapping[str, Any]], None]


def tune(
    bench: Bench, case: Case, space: Space, tuning: Tuning, out: Path, tell: Tell
) -> dict[str, Any]:
    """Try settings, keep the results so far in `out`, and call `tell` after every trial.

    Raises:
        StoreError: `out` holds something other than this search.
        DivergedError: every trial diverged.
        ConfigError: the objective lacks data, the run is not a model to unlearn from, or Optuna is
            not installed.
    """
    settings = {
        "run": case.run_id,
        "scenario": case.scenario,
        "method": space.method.name,
        "fixed": dict(space.fixed),
        "search": {name: to_mapping(span) for name, span in space.ranges.items()},
        **{name: value for name, value in to_mapping(tuning).items() if name != "grid" or value},
    }
    _check_out(out, settings)
    check_original(bench, case.run_id)
    objective = make_objective(bench, case, tuning)
    document = _begun(bench, case, objective, settings)
    for record in run_trials(bench, case, space, tuning, objective):
        document["trials"].append(record)
        document["best"] = best(document["trials"])
        write_json(out, document)
        tell(record)
    if document["best"] is None:
        raise DivergedError(
            f"all {tuning.trials} trials diverged: search a narrower range, as in "
            f"--range NAME=LOW:HIGH:log; the last: {document['trials'][-1]['reason']}"
        )
    return document


def as_toml(document: Mapping[str, Any]) -> str:
    """The best settings as a recipe's table, for the kind of scenario they were chosen in.

    `chosen_by` is copied into every cell of the results.
    """
    settings, chosen = document["settings"], document["best"]
    kind = settings["scenario"].partition(":")[0]
    lines = [
        f"# {settings['objective']}: the best of {len(document['trials'])} trials in "
        f"{settings['scenario']}, seed {settings['seed']}: {chosen['value']:.3f} points",
        f"[methods.{settings['method']}.{kind}]",
        f"{CHOSEN_BY} = {json.dumps(settings['objective'])}",
    ]
    values = {**settings["fixed"], **chosen["searched"]}
    return "\n".join(lines + [f"{name} = {json.dumps(value)}" for name, value in values.items()])


def _begun(
    bench: Bench, case: Case, objective: Objective, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The document before its first trial: settings, data, and the model before unlearning."""
    graph = bench.graph()
    origin = graph.node(graph.origin_of(case.run_id))
    facts = read_facts(bench.store.path(graph.data_of(case.run_id)))
    forget = add_case(graph, case)
    bench.run(graph)
    makers = Makers()
    makers.of(bench.store.path(case.run_id))
    env = makers.listed[0]
    env["packages"] = {**env["packages"], "optuna": version("optuna")}
    reference = objective.reference_id
    counts = {role: len(part.ids) for role, part in facts.parts.items()}
    return {
        "schema": 1,
        "env": env,
        "settings": dict(settings),
        "origin": dict(origin.params),
        "samples": {
            "train": counts["train"],
            "forget": len(load_forget(bench.store.path(forget))["ids"]),
            "validation": counts.get("validation", 0),
            "test": counts["test"],
        },
        "before": {
            "metrics": dict(measured(bench, case, case.run_id, reference)),
            "terms": dict(objective.score(case.run_id).terms),
        },
        "reference": None
        if reference is None
        else {
            "run": reference,
            "metrics": dict(measured(bench, case, reference, reference)),
        },
        "trials": [],
        "best": None,
    }


def _check_out(out: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to overwrite anything except the same search; the number of trials may differ."""
    if not out.exists():
        return
    there: Any = read_json(out)
    held = there.get("settings") if isinstance(there, Mapping) else None
    if not isinstance(held, Mapping):
        raise StoreError(f"{out} holds something other than a search: choose another --out")
    for name in {**settings, **held}:
        if name != "trials" and held.get(name) != settings.get(name):
            raise StoreError(
                f"{out} holds another search ({name}: {held.get(name)!r} there, "
                f"{settings.get(name)!r} asked for): choose another --out"
            )
