"""How well wrong labels are found: by the out-of-fold loss, and by the model's own loss.

Every seed divides the data, draws the wrong labels and the clean samples, and trains all models
anew. The model's own loss, the baseline, has its threshold from the same clean samples.
"""

import argparse
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax

from expunge.cli.options import session
from expunge.detectors.evidence import Floats
from expunge.detectors.judge import Judgement, judge
from expunge.detectors.threshold import threshold
from expunge.graph.graph import Graph
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.suspect import add_suspect, load_scores, load_suspects
from expunge.graph.runtime import read_facts
from expunge.runs import Store, environment, write_json
from expunge.statistics.intervals import paired_t
from expunge.studies.grid import plan_bases, plan_data
from expunge.studies.recipe import Experiment, read_experiment

MEASURES = ("auroc", "recall", "precision", "false_positives")
OUT_OF_FOLD, OWN = "out_of_fold", "own loss"


def plan(graph: Graph, experiment: Experiment) -> dict[int, dict[str, str]]:
    """By seed: the nodes of the suspects, and of predictions by the model itself."""
    cases = {}
    for seed in experiment.seeds:
        data = replace(experiment.data, seed=seed)
        each = replace(experiment, data=data, pruners={}, claims=(), seeds=(seed,))
        data_id, _ = plan_data(graph, each, None)
        (base,) = plan_bases(graph, each, data_id, seed)
        cases[seed] = {
            "data": data_id,
            "suspects": add_suspect(graph, base.model_id, OUT_OF_FOLD),
            "train": add_predict(graph, base.model_id, "train"),
            "clean": add_predict(graph, base.model_id, "validation"),
        }
    return cases


def losses(folder: Path) -> Floats:
    """The cross-entropy of every label, by the model itself."""
    found = load_predictions(folder)
    logits = found["logits"].astype(np.float64)
    own: Floats = -log_softmax(logits, axis=1)[np.arange(len(logits)), found["labels"]]
    return own


def judged(store: Store, nodes: dict[str, str]) -> dict[str, Judgement]:
    """The judgement of both losses, by name."""
    train = read_facts(store.path(nodes["data"])).train
    wrong = np.isin(train.ids, train.touched["relabel"])
    scores = load_scores(store.path(nodes["suspects"]))
    found = load_suspects(store.path(nodes["suspects"]))
    own = losses(store.path(nodes["train"]))
    limit = threshold(losses(store.path(nodes["clean"])), found["false_positives"])
    return {
        OUT_OF_FOLD: judge(
            scores["scores"], scores["scores"] > found["threshold"], wrong[scores["rows"]]
        ),
        OWN: judge(own, own > limit, wrong),
    }


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each loss: means over seeds with their 95 % t-intervals."""
    lines = []
    for name in (OUT_OF_FOLD, OWN):
        own = [row for row in rows if row["detector"] == name]
        line: dict[str, Any] = {"detector": name, "n": len(own)}
        for measure in MEASURES:
            values = [row[measure] for row in own if row[measure] is not None]
            line[measure] = asdict(paired_t(values)) if len(values) > 1 else None
        lines.append(line)
    return lines


def rows_of(seed: int, found: dict[str, Judgement]) -> Iterable[dict[str, Any]]:
    for name, each in found.items():
        values = {measure: getattr(each, measure) for measure in MEASURES}
        yield {"seed": seed, "detector": name, **asdict(each), **values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/mislabelled-digits.toml"))
    parser.add_argument("--store", type=Path, default=Path("build/mislabelled"))
    parser.add_argument("--out", type=Path, default=Path("build/mislabelled.json"))
    options = parser.parse_args()
    space = session(options.store)
    graph = space.graph()
    cases = plan(graph, read_experiment(options.recipe))
    space.run(graph)
    rows = [
        row for seed, nodes in cases.items() for row in rows_of(seed, judged(space.store, nodes))
    ]
    document = {
        "schema": 1,
        "env": environment(),
        "reproduce": f"python -m benchmarks.mislabelled --recipe {options.recipe}",
        "wrong_labels": summary(rows),
        "rows": rows,
    }
    write_json(options.out, document)


if __name__ == "__main__":
    main()
