"""Two training recipes side by side: the test accuracy and the time of their original models.

The models are kept in a store, as those of any experiment: what was trained once is read.
"""

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks import results
from benchmarks.timing import Figure, figure
from expunge.cli.options import session
from expunge.cli.session import Session
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.record import load_record
from expunge.metrics.accuracy import accuracy
from expunge.studies.grid import plan_bases, plan_data
from expunge.studies.recipe import Experiment, read_experiment, with_overrides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slow", type=Path)
    parser.add_argument("fast", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--slow-seeds", type=int, help="of the slow recipe; default: as many")
    parser.add_argument("--out", type=Path, default=Path("build/recipes.json"))
    parser.add_argument("--store", type=Path, default=Path("build/recipes"))
    parser.add_argument("--data", help="read the same data from here instead")
    parser.add_argument("--compile", action="store_true", help="as `expunge train --compile`")
    options = parser.parse_args()
    space = session(options.store, compiled=options.compile)
    slow, fast = (
        with_overrides(read_experiment(path), source=options.data)
        for path in (options.slow, options.fast)
    )
    seeds = {"slow": options.slow_seeds or options.seeds, "fast": options.seeds}
    figures = compared(space, slow, fast, seeds)
    for item in figures:
        print(f"{item.name}: {item.value:.3f} {item.unit} ({item.spread}, n={item.n})")
    results.write(options.out, figures=[asdict(item) for item in figures])


def compared(
    space: Session, slow: Experiment, fast: Experiment, seeds: Mapping[str, int]
) -> list[Figure]:
    """Test accuracy and seconds of both, and the ratios of epochs and of seconds.

    The ratio of seconds is of seeds that both have.
    """
    found = {
        name: _trained(space, each, seeds[name]) for name, each in (("slow", slow), ("fast", fast))
    }
    slow_accuracy = statistics.median(found["slow"][0])
    ratios = [a / b for a, b in zip(found["slow"][1], found["fast"][1], strict=False)]
    return [
        figure(f"{slow.title}: test accuracy", found["slow"][0], unit="%"),
        figure(f"{fast.title}: test accuracy", found["fast"][0], unit="%", target=slow_accuracy),
        figure(
            "epochs of the fast recipe over those of the slow one",
            [fast.training.epochs / slow.training.epochs],
            better="lower",
            target=0.1,
        ),
        figure("time of the slow recipe over that of the fast one", ratios),
    ]


def _trained(space: Session, experiment: Experiment, seeds: int) -> tuple[list[float], list[float]]:
    """Test accuracies and seconds of the original models of each seed."""
    graph = space.graph()
    data_id, _ = plan_data(graph, experiment, None)
    dense = replace(experiment, pruners={})
    models = [
        plan_bases(graph, dense, data_id, seed, space.together)[0].model_id for seed in range(seeds)
    ]
    predictions = [add_predict(graph, model, "test", space.together) for model in models]
    space.run(graph)
    found = [load_predictions(space.store.path(each)) for each in predictions]
    records = [load_record(space.store.path(model)) for model in models]
    accuracies = [accuracy(each["logits"], each["labels"]) for each in found]
    return accuracies, [record["seconds"] for record in records]


if __name__ == "__main__":
    main()
