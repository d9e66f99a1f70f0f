"""A whole search, and the document that it leaves: written after every trial."""

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from expunge.bench.experiment import CHOSEN_BY
from expunge.bench.results import device_name
from expunge.bench.stages import origin_of
from expunge.bench.stages.train import dataset_of
from expunge.bench.stages.unlearn import split_for
from expunge.bench.tuning.objectives import Case, Objective, make_objective, measured
from expunge.bench.tuning.space import Space
from expunge.bench.tuning.study import COMPLETE, Tuning, check_original, run_trials
from expunge.bench.workspace import Workspace
from expunge.config import to_mapping
from expunge.errors import DivergedError, StoreError
from expunge.runs import environment, read_json, write_json

Tell = Callable[[Mapping[str, Any]], None]


def tune(
    workspace: Workspace, case: Case, space: Space, tuning: Tuning, out: Path, tell: Tell
) -> dict[str, Any]:
    """Try settings, keep in `out` what is known so far, and `tell` of every trial.

    Raises:
        StoreError: `out` holds something else than this search.
        DivergedError: every trial diverged.
        ConfigError: the objective lacks data, the run is no original, or Optuna is not installed.
    """
    settings = {
        "run": case.run_id,
        "scenario": case.scenario,
        "method": space.method.name,
        "fixed": dict(space.fixed),
        "search": {name: to_mapping(span) for name, span in space.ranges.items()},
        **to_mapping(tuning),
    }
    _check_out(out, settings)
    check_original(workspace, case.run_id)
    objective = make_objective(tuning.objective, workspace, case, tuning.budget)
    document = _begun(workspace, case, objective, settings)
    for record in run_trials(workspace, case, space, tuning, objective):
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


def best(trials: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The trial of the smallest value, of equals the first; None where every one diverged."""
    complete = [trial for trial in trials if trial["state"] == COMPLETE]
    return min(complete, key=lambda trial: trial["value"], default=None)


def as_toml(document: Mapping[str, Any]) -> str:
    """The best settings as a recipe's table, for the kind of scenario that they were chosen in.

    `chosen_by` goes with them into every cell of the results.
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
    workspace: Workspace, case: Case, objective: Objective, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The document before its first trial: what was asked, on what, and the model before."""
    origin = origin_of(workspace, case.run_id)
    data = dataset_of(workspace, case.run_id)
    split = split_for(workspace, case.run_id, case.scenario)
    env: dict[str, Any] = environment()
    env["packages"] = {**env["packages"], "optuna": version("optuna")}
    reference = objective.reference_id
    return {
        "schema": 1,
        "env": {**env, "device": device_name(workspace), "precision": origin.precision},
        "settings": dict(settings),
        "origin": to_mapping(origin),
        "samples": {
            "train": len(data.train),
            "forget": len(split.forget),
            "validation": 0 if data.validation is None else len(data.validation),
            "test": len(data.test),
        },
        "before": {
            "metrics": dict(measured(workspace, case, case.run_id, reference)),
            "terms": dict(objective.score(case.run_id).terms),
        },
        "reference": None
        if reference is None
        else {
            "run": reference,
            "metrics": dict(measured(workspace, case, reference, reference)),
        },
        "trials": [],
        "best": None,
    }


def _check_out(out: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to write over anything but the same search; the number of trials may differ."""
    if not out.exists():
        return
    there: Any = read_json(out)
    held = there.get("settings") if isinstance(there, Mapping) else None
    if not isinstance(held, Mapping):
        raise StoreError(f"{out} holds something else than a search: choose another --out")
    for name in {**settings, **held}:
        if name != "trials" and held.get(name) != settings.get(name):
            raise StoreError(
                f"{out} holds another search ({name}: {held.get(name)!r} there, "
                f"{settings.get(name)!r} asked for): choose another --out"
            )
