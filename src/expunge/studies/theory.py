"""The theorem's quantities over a recipe's sparsities, pruners, scenarios and seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from expunge.config import to_mapping
from expunge.errors import DivergedError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.path import add_path, load_facts
from expunge.graph.kinds.sharpness import add_sharpness
from expunge.graph.kinds.theorem import add_theorem
from expunge.graph.outcome import divergence
from expunge.runs import Store
from expunge.scenarios import of_seed
from expunge.studies.folder import plain, recipe_of
from expunge.studies.grid import Base, plan_bases, plan_data
from expunge.studies.made import Makers
from expunge.studies.recipe import Experiment
from expunge.studies.theory_claims import TABLE, TheoryClaim, judge_theory, rank_correlation
from expunge.theory.bound import check_plain_sgd
from expunge.theory.config import HessianConfig

THEORY = "theory.json"
_EXPLAINING = ("bound", "moved", "sigma", "sigma_start", "sparsity")
_QUANTITIES = ("moved", "sigma", "sigma_start", "bound", "train_accuracy", "test_accuracy")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One sparsity in one scenario, and the nodes that measure it."""

    scenario: str
    forgets: str
    """The scenario of its seed; another one where seeds forget different ones."""
    base: Base
    seed: int
    path_id: str
    sharpness_id: str
    theorem_id: str


def plan_theory(
    graph: Graph, experiment: Experiment, config: HessianConfig, cache: Path | None = None
) -> list[Point]:
    """The points of a recipe, in the order of its seeds, scenarios and sparsities.

    Raises:
        ConfigError: the recipe is not plain SGD with a constant learning rate.
        DataError: the data cannot be read.
        ForgetError: a scenario does not fit the data.
    """
    check_plain_sgd(experiment.training)
    experiment.refuse_sparsities("the theorem is measured")
    experiment.refuse_labels("the theorem is measured")
    experiment.refuse_searches("the theorem is measured")
    data_id, facts = plan_data(graph, experiment, cache)
    points = []
    for seed in experiment.seeds:
        paths = []
        for base in plan_bases(graph, experiment, data_id, seed):
            path = add_path(graph, base.model_id)
            paths.append((base, path, add_sharpness(graph, path, config)))
        for scenario in experiment.scenarios:
            methods = {
                name: experiment.method_config(name, scenario) for name in experiment.methods
            }
            forgets = of_seed(scenario, seed, facts.class_names)
            for base, path, sharpness in paths:
                forget = add_forget(graph, path, forgets, facts=facts)
                points.append(
                    Point(
                        scenario=scenario,
                        forgets=forgets,
                        base=base,
                        seed=seed,
                        path_id=path,
                        sharpness_id=sharpness,
                        theorem_id=add_theorem(graph, path, forget, methods),
                    )
                )
    return points


def collect_theory(
    store: Store,
    experiment: Experiment,
    config: HessianConfig,
    points: list[Point],
    reproduce: str,
    claims: tuple[TheoryClaim, ...] = (),
) -> dict[str, Any]:
    """The theorem's document, from nodes that are all in the store.

    `points` are those that could be measured; `diverged` names the others, with the reason.

    Raises:
        DivergedError: there is no point that could be measured.
        StoreError: an artefact is missing or damaged.
    """
    makers = Makers()
    settings = settings_of(experiment, claims) | {"hessian": to_mapping(config)}
    rows, diverged = [], []
    for point in points:
        row: dict[str, Any] = {
            "scenario": point.scenario,
            **({} if point.forgets == point.scenario else {"forgets": point.forgets}),
            "pruner": point.base.pruner,
            "sparsity": point.base.sparsity,
            "seed": point.seed,
        }
        parts = [store.path(part) for part in (point.path_id, point.sharpness_id, point.theorem_id)]
        reasons = [reason for part in parts if (reason := divergence(part)) is not None]
        if reasons:
            diverged.append({**row, "reason": reasons[0]})
            continue
        for part in parts:
            row |= load_facts(part)
        rows.append({**row, "run": point.theorem_id, "made_by": makers.of(parts[0])})
    if not rows:
        raise DivergedError(f"nothing could be measured: {diverged[0]['reason']}")
    return {
        "schema": 1,
        "title": experiment.title,
        "env": makers.listed[0],
        "makers": makers.listed,
        "settings": settings,
        "reproduce": reproduce,
        **recipe_of(experiment, settings),
        "points": rows,
        "diverged": diverged,
        "summary": summarise(rows),
        "trends": trends(rows),
        "claims": [judge_theory(claim, rows) for claim in claims],
    }


def settings_of(experiment: Experiment, claims: tuple[TheoryClaim, ...]) -> dict[str, Any]:
    """The settings as the study's folder keeps them; with its claims, if it has any."""
    settings = plain(experiment)
    if claims:
        settings[TABLE] = {"claims": [to_mapping(claim) for claim in claims]}
    return settings


def summarise(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each scenario, pruner and sparsity: n, and mean and sample deviation of each quantity.

    The deviation is null if n is 1. `ratio` is e(m) over the bound: constant where e(m) follows
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
    """For each scenario and pruner: Spearman's rank correlation of e(m) with possible causes.

    Over all seeds and sparsities of the pruner, including the dense network. 1: e(m) rises exactly
    where the other does. Null for fewer than three points, or if one of the two is constant.
    """
    rows = []
    for scenario in dict.fromkeys(point["scenario"] for point in points):
        here = [point for point in points if point["scenario"] == scenario]
        for pruner in dict.fromkeys(p["pruner"] for p in here if p["pruner"] != "none"):
            members = [point for point in here if point["pruner"] in ("none", pruner)]
            error = [point["distances"]["add_back"] for point in members]
            row: dict[str, Any] = {"scenario": scenario, "pruner": pruner, "n": len(members)}
            for name in _EXPLAINING:
                row[name] = rank_correlation(error, [point[name] for point in members])
            rows.append(row)
    return rows


def _ratio(error: float, bound: float) -> float | None:
    return error / bound if bound > 0 else None


def _spread(values: list[float | None]) -> Mapping[str, float | None]:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return {
        "mean": fmean(known) if known else None,
        "sd": stdev(known) if len(known) > 1 else None,
    }
