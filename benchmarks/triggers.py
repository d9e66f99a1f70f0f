"""Whether the edits that plant a backdoor plant it: attack success and test accuracy of models."""

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.detectors import success
from benchmarks.timing import Figure, figure
from expunge.cli.options import session
from expunge.cli.session import Session
from expunge.data.edits.apply import target_of
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.metrics.accuracy import accuracy
from expunge.runs import environment, write_json
from expunge.studies.grid import plan_bases, plan_data
from expunge.studies.recipe import Experiment, read_experiment

PATCH = {"size": 3, "row": -3, "column": -3, "value": 255}
EDITS: dict[str, dict[str, dict[str, Any]]] = {
    "badnets, 10 %": {"badnets": {"share": 0.1, **PATCH}},
    "blended, 10 %": {"blended": {}},
    "warped, 10 %": {"warped": {}},
    "clean_label_patch, 50 % of the target": {"clean_label_patch": {"share": 0.5, **PATCH}},
    "clean_label_patch, 90 % of the target": {"clean_label_patch": {"share": 0.9, **PATCH}},
}
"""By what tables call them: edits, with their defaults where nothing else fits 8x8 pixels."""
PLANTED = 90.0
"""A cleanse is judged from this attack success rate on, in percent."""


def measured(
    space: Session, experiment: Experiment, edits: dict[str, dict[str, dict[str, Any]]]
) -> list[Figure]:
    """Attack success on images of other classes, and test accuracy, over the recipe's seeds."""
    graph = space.graph()
    planned = {}
    for name, settings in edits.items():
        for seed in experiment.seeds:
            data = replace(experiment.data, seed=seed, edits=settings)
            each = replace(experiment, data=data, pruners={}, seeds=(seed,))
            data_id, _ = plan_data(graph, each, None)
            (base,) = plan_bases(graph, each, data_id, seed)
            nodes = [add_predict(graph, base.model_id, part) for part in ("triggered", "test")]
            planned[name, seed] = nodes
    space.run(graph)
    figures = []
    for name, settings in edits.items():
        target = target_of(settings)
        assert target is not None
        found = [
            [load_predictions(space.store.path(node)) for node in planned[name, seed]]
            for seed in experiment.seeds
        ]
        asr = [success(triggered, target) for triggered, _ in found]
        clean = [accuracy(test["logits"], test["labels"]) for _, test in found]
        figures += [
            figure(f"{name}: attack success rate", asr, unit="%", target=PLANTED),
            figure(f"{name}: test accuracy", clean, unit="%"),
        ]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/detectors-digits.toml"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--store", type=Path, default=Path("build/detectors"))
    parser.add_argument("--out", type=Path, default=Path("build/triggers.json"))
    options = parser.parse_args()
    experiment = read_experiment(options.recipe)
    experiment = replace(experiment, seeds=experiment.seeds[: options.seeds])
    figures = measured(session(options.store), experiment, EDITS)
    for item in figures:
        print(f"{item.name}: {item.value:.1f} {item.unit} ({item.spread}, n={item.n})")
    document = {"schema": 1, "env": environment(), "figures": [asdict(item) for item in figures]}
    write_json(options.out, document)


if __name__ == "__main__":
    main()
