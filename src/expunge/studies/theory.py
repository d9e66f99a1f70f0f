"""The theorem's quantities over a recipe's sparsities, pruners, scenarios and seeds."""

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from expunge.bench.experiment import Experiment
from expunge.bench.grid import bases_of_seed
from expunge.bench.results import claim, device_name, keep, plain
from expunge.bench.stages import ensure
from expunge.bench.stages.theory import load_facts, path_stage, sharpness_stage, theorem_stage
from expunge.bench.workspace import Workspace
from expunge.config import to_mapping
from expunge.runs import environment
from expunge.theory.bound import check_plain_sgd
from expunge.theory.config import HessianConfig

THEORY = "theory.json"
_EXPLAINING = ("bound", "moved", "sigma", "sigma_start", "sparsity")
_QUANTITIES = ("moved", "sigma", "sigma_start", "bound", "train_accuracy", "test_accuracy")


def run_theory(
    workspace: Workspace,
    experiment: Experiment,
    config: HessianConfig,
    folder: Path,
    reproduce: str,
) -> dict[str, Any]:
    """Run what is not there yet, and leave `theory.json` in `folder`.

    Raises:
        ConfigError: the recipe is not plain SGD with a constant learning rate.
        StoreError: the folder holds an experiment with other settings.
        ExpungeError: a stage fails; what was made before it stays in the store.
    """
    check_plain_sgd(experiment.training)
    if workspace.leads:
        claim(folder, experiment)
    points = [
        point
        for seed in experiment.seeds
        for point in _points_of_seed(workspace, experiment, config, seed)
    ]
    results: dict[str, Any] = {
        "schema": 1,
        "title": experiment.title,
        "env": {**environment(), "device": device_name(workspace)},
        "settings": {**plain(experiment), "hessian": to_mapping(config)},
        "reproduce": reproduce,
        "points": points,
        "summary": summarise(points),
        "trends": trends(points),
    }
    return keep(folder / THEORY, results, "points") if workspace.leads else results


def summarise(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each scenario, pruner and sparsity: n, and mean and sample deviation of each quantity.

    The deviation is null where n is 1. `ratio` is e(m) over the bound: constant where e(m) follows
    the bound.
    """
    groups: dict[tuple[str, str, float], list[dict[str, Any]]] = {}
    for point in points:
        key = (point["scenario"], point["pruner"], point["sparsity"])
        groups.setdefault(key, []).append(point)
    rows = []
    for (scenario, pruner, sparsity), members in groups.items():
        row: dict[str, Any] = {
            "scenario": scenario,
            "pruner": pruner,
            "sparsity": sparsity,
            "n": len(members),
        }
        for name in _QUANTITIES:
            row[name] = _spread([point[name] for point in members])
        row["distances"] = {
            name: _spread([point["distances"][name] for point in members])
            for name in members[0]["distances"]
        }
        row["ratio"] = _spread(
            [_ratio(point["distances"]["add_back"], point["bound"]) for point in members]
        )
        rows.append(row)
    return rows


def trends(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each scenario and pruner: Spearman's rank correlation of e(m) with what may explain it.

    Over all seeds and sparsities of the pruner, the dense network included. 1: e(m) rises exactly
    where the other does. Null where there are fewer than three points, or one of the two is the
    same at all of them.
    """
    rows = []
    for scenario in dict.fromkeys(point["scenario"] for point in points):
        here = [point for point in points if point["scenario"] == scenario]
        for pruner in dict.fromkeys(p["pruner"] for p in here if p["pruner"] != "none"):
            members = [point for point in here if point["pruner"] in ("none", pruner)]
            error = [point["distances"]["add_back"] for point in members]
            row: dict[str, Any] = {"scenario": scenario, "pruner": pruner, "n": len(members)}
            for name in _EXPLAINING:
                row[name] = _rank_correlation(error, [point[name] for point in members])
            rows.append(row)
    return rows


def _rank_correlation(one: list[float], other: list[float]) -> float | None:
    from scipy.stats import spearmanr

    if len(one) < 3 or len(set(one)) == 1 or len(set(other)) == 1:
        return None
    return float(spearmanr(one, other).statistic)


def _points_of_seed(
    workspace: Workspace, experiment: Experiment, config: HessianConfig, seed: int
) -> list[dict[str, Any]]:
    paths = []
    for base in bases_of_seed(workspace, experiment, seed):
        path = ensure(workspace, path_stage(workspace, base.run_id))
        sharpness = ensure(workspace, sharpness_stage(workspace, path, config))
        facts = {**load_facts(workspace, path), **load_facts(workspace, sharpness)}
        paths.append((base, path, facts))
    points = []
    for scenario in experiment.scenarios:
        methods = {name: experiment.method_config(name, scenario) for name in experiment.methods}
        for base, path, facts in paths:
            run = ensure(workspace, theorem_stage(workspace, path, scenario, methods))
            points.append(
                {
                    "scenario": scenario,
                    "pruner": base.pruner,
                    "sparsity": base.sparsity,
                    "seed": seed,
                    **facts,
                    **load_facts(workspace, run),
                    "run": run,
                }
            )
    return points


def _ratio(error: float, bound: float) -> float | None:
    return error / bound if bound > 0 else None


def _spread(values: list[float | None]) -> Mapping[str, float | None]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return {
        "mean": fmean(known) if known else None,
        "sd": stdev(known) if len(known) > 1 else None,
    }
