"""How well detectors find poisoned samples, at several shares of poison: AUROC, precision, recall.

Every seed divides the data, draws the poisoned and the clean samples, and trains the model anew.
"""

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from expunge.cli.options import session
from expunge.detectors import all_detectors
from expunge.detectors.judge import Judgement, judge
from expunge.graph.graph import Graph
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.suspect import add_suspect, load_scores, load_suspects
from expunge.graph.runtime import read_facts
from expunge.metrics.accuracy import accuracy
from expunge.runs import Store, environment, write_json
from expunge.statistics.intervals import paired_t, wilson
from expunge.studies.grid import plan_bases, plan_data
from expunge.studies.recipe import Experiment, read_experiment

SHARES = (0.005, 0.01, 0.1)
MEASURES = ("auroc", "recall", "precision", "false_positives")


@dataclass(frozen=True)
class Case:
    """One poisoned model, and the nodes that tell of it."""

    share: float
    seed: int
    edit: str
    target: int
    model: str
    triggered: str
    suspects: dict[str, str]
    """By detector."""


def poisoned(experiment: Experiment, share: float, seed: int) -> Experiment:
    """The recipe with this share of poison in its one edit, and everything drawn by `seed`."""
    ((edit, settings),) = experiment.data.edits.items()
    edits = {edit: {**settings, "share": share}}
    data = replace(experiment.data, seed=seed, edits=edits)
    return replace(experiment, data=data, pruners={}, seeds=(seed,))


def plan(graph: Graph, experiment: Experiment, shares: Iterable[float]) -> list[Case]:
    """A model for every share and seed, and every detector that needs no more than the model."""
    names = [name for name, entry in all_detectors().items() if "out_of_fold" not in entry.needs]
    cases = []
    for share in shares:
        for seed in experiment.seeds:
            each = poisoned(experiment, share, seed)
            data, _ = plan_data(graph, each, None)
            (base,) = plan_bases(graph, each, data, seed)
            ((edit, settings),) = each.data.edits.items()
            cases.append(
                Case(
                    share,
                    seed,
                    edit,
                    settings.get("target", 0),
                    base.model_id,
                    add_predict(graph, base.model_id, "triggered"),
                    {name: add_suspect(graph, base.model_id, name) for name in names},
                )
            )
    return cases


def judged(store: Store, graph: Graph, case: Case) -> dict[str, Judgement]:
    """The judgement of every detector, by its name."""
    train = read_facts(store.path(graph.data_of(case.model))).train
    touched = set(train.touched[case.edit])
    found = {}
    for name, node_id in case.suspects.items():
        scores = load_scores(store.path(node_id))
        ids = [train.ids[row] for row in scores["rows"]]
        limit = load_suspects(store.path(node_id))["threshold"]
        flags = np.array([each in touched for each in ids])
        found[name] = judge(scores["scores"], scores["scores"] > limit, flags)
    return found


def success(triggered: dict[str, Any], target: int) -> float:
    """The attack success rate on triggered images of other classes, in percent."""
    others = triggered["labels"] != target
    called = np.full(int(others.sum()), target)
    return accuracy(triggered["logits"][others], called)


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each share and detector: means over seeds with their 95 % t-intervals."""
    lines = []
    for share, name in dict.fromkeys((row["share"], row["detector"]) for row in rows):
        own = [row for row in rows if (row["share"], row["detector"]) == (share, name)]
        line: dict[str, Any] = {
            "share": share,
            "detector": name,
            "poisoned": own[0]["poisoned"],
            "n": len(own),
            "asr": fmean(row["asr"] for row in own),
        }
        for measure in MEASURES:
            values = [row[measure] for row in own if row[measure] is not None]
            line[measure] = asdict(paired_t(values)) if len(values) > 1 else None
        lines.append(line)
    return lines


def row_of(case: Case, name: str, found: Judgement, asr: float) -> dict[str, Any]:
    """One detector on one model: counts, and Wilson's intervals of proportions of samples."""
    suspects = found.found + found.accused
    return {
        "share": case.share,
        "seed": case.seed,
        "detector": name,
        "asr": asr,
        **asdict(found),
        **{measure: getattr(found, measure) for measure in MEASURES},
        "recall_interval": asdict(wilson(found.found, found.poisoned)),
        "precision_interval": asdict(wilson(found.found, suspects)) if suspects else None,
        "run": case.model,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/detectors-digits.toml"))
    parser.add_argument("--store", type=Path, default=Path("build/detectors"))
    parser.add_argument("--out", type=Path, default=Path("build/detectors.json"))
    options = parser.parse_args()
    space = session(options.store)
    graph = space.graph()
    cases = plan(graph, read_experiment(options.recipe), SHARES)
    space.run(graph)
    rows = []
    for case in cases:
        asr = success(load_predictions(space.store.path(case.triggered)), case.target)
        found = judged(space.store, graph, case)
        rows += [row_of(case, name, judgement, asr) for name, judgement in found.items()]
    document = {
        "schema": 1,
        "env": environment(),
        "reproduce": f"python -m benchmarks.detectors --recipe {options.recipe}",
        "detectors": summary(rows),
        "rows": rows,
    }
    write_json(options.out, document)


if __name__ == "__main__":
    main()
