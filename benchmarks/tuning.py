"""How close settings that were chosen without a retrained model come to those chosen with one.

Every method of a recipe that has a search space is tuned twice, by `oracle` and by `no_oracle`, on
the dense model. All trials of both are then judged by both, so that it is seen how well the one
ranks as the other does.
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

from expunge.cli.options import session
from expunge.config import to_mapping
from expunge.methods import get_method
from expunge.metrics.gap import gap
from expunge.runs import write_json
from expunge.studies.folder import plain
from expunge.studies.grid import plan_bases, plan_data
from expunge.studies.made import Makers
from expunge.studies.recipe import Experiment, read_experiment
from expunge.studies.tuning.objectives import Bench, Case, NoOracle, Oracle, measured
from expunge.studies.tuning.settings import Tuning
from expunge.studies.tuning.space import space_of
from expunge.studies.tuning.study import COMPLETE
from expunge.studies.tuning.tune import tune


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/tuning"), help="store, searches")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--budget", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0, help="of what is tried")
    parser.add_argument("--validation-fraction", type=float, help="overrides the recipe's")
    options = parser.parse_args()
    experiment = read_experiment(options.recipe)
    if options.validation_fraction is not None:
        data = replace(experiment.data, validation_fraction=options.validation_fraction)
        experiment = replace(experiment, data=data)
    space = session(options.work / "runs")
    bench = Bench(space.store, space.run)
    makers = Makers()
    tuning = Tuning(trials=options.trials, budget=options.budget, seed=options.seed)
    rows, cells = [], []
    for row, found in compared(bench, experiment, tuning, options.work / "searches"):
        rows.append(row)
        cells += [{**cell, "made_by": makers.of(bench.store.path(cell["run"]))} for cell in found]
        document = {
            "schema": 2,
            "title": experiment.title,
            "makers": makers.listed,
            "settings": {**plain(experiment), "tuning": to_mapping(tuning)},
            "rows": rows,
            "cells": cells,
        }
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.out, document)
    print("| forget | method | original | published | median | no_oracle | oracle | ρ | n |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        gaps = " | ".join("-" if x is None else f"{x:.2f}" for x in row["gap"].values())
        rho = "-" if row["rank_correlation"] is None else f"{row['rank_correlation']:.2f}"
        print(f"| {row['scenario']} | {row['method']} | {gaps} | {rho} | {row['n']} |")


def compared(
    bench: Bench, experiment: Experiment, tuning: Tuning, searches: Path
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """A row for each seed, scenario and method; with it the cells of what was chosen."""
    searches.mkdir(parents=True, exist_ok=True)
    dense_only = replace(experiment, pruners={})
    for seed in experiment.seeds:
        graph = bench.graph()
        data_id, _ = plan_data(graph, experiment, None)
        dense = plan_bases(graph, dense_only, data_id, seed)[0].model_id
        bench.run(graph)
        for scenario in experiment.scenarios:
            case = Case(dense, scenario)
            for name in experiment.methods:
                if get_method(name).search:
                    yield _row(bench, experiment, case, name, seed, tuning, searches)


def _row(
    bench: Bench,
    experiment: Experiment,
    case: Case,
    name: str,
    seed: int,
    tuning: Tuning,
    searches: Path,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    method = get_method(name)
    given = to_mapping(experiment.method_config(name, case.scenario))
    fixed = {key: value for key, value in given.items() if key not in method.search}
    space = space_of(method, {}, fixed)
    found = {}
    for objective in ("no_oracle", "oracle"):
        file = f"{name}-{case.scenario}-{seed}-{objective}.json".replace(":", "-")
        asked = replace(tuning, objective=objective)
        found[objective] = tune(bench, case, space, asked, searches / file, lambda trial: None)
    oracle, no_oracle = Oracle(bench, case, tuning.budget), NoOracle(bench, case, tuning.budget)
    trials = {
        trial["run"]: trial
        for document in found.values()
        for trial in document["trials"]
        if trial["state"] == COMPLETE
    }
    gaps = {run: oracle.score(run).value for run in trials}
    seen = {run: no_oracle.score(run).value for run in trials}
    # The published settings are the first trial of every search, and may diverge here.
    published = found["oracle"]["trials"][0]
    chosen = {
        "published": published if published["state"] == COMPLETE else None,
        "no_oracle": found["no_oracle"]["best"],
        "oracle": found["oracle"]["best"],
    }
    reference = measured(bench, case, oracle.reference_id, oracle.reference_id)
    cells = []
    for how, trial in chosen.items():
        if trial is None:
            continue
        metrics = measured(bench, case, trial["run"], oracle.reference_id)
        cells.append(
            {
                "scenario": case.scenario,
                "pruner": "none",
                "sparsity": 0.0,
                "method": name,
                "seed": seed,
                "chosen_by": how,
                "config": trial["config"],
                "metrics": dict(metrics),
                "gap": gap(metrics, reference),
                "no_oracle": seen[trial["run"]],
                "rte_s": trial["rte_s"],
                "run": trial["run"],
            }
        )
    row = {
        "scenario": case.scenario,
        "method": name,
        "seed": seed,
        "gap": {
            "original": oracle.score(case.run_id).value,
            "published": gaps.get(published.get("run")),
            "median": statistics.median(gaps.values()),
            "no_oracle": gaps[chosen["no_oracle"]["run"]],
            "oracle": gaps[chosen["oracle"]["run"]],
        },
        "rank_correlation": _rank_correlation(list(gaps.values()), list(seen.values())),
        "n": len(trials),
        "diverged": sum(
            trial["state"] != COMPLETE
            for document in found.values()
            for trial in document["trials"]
        ),
    }
    return row, cells


def _rank_correlation(one: list[float], other: list[float]) -> float | None:
    """None where one of the two is the same in all trials."""
    if len(set(one)) == 1 or len(set(other)) == 1:
        return None
    return float(spearmanr(one, other).statistic)


if __name__ == "__main__":
    main()
