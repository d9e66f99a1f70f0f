"""Two training recipes side by side: the test accuracy and the time of their original models.

The stages are kept, as those of any experiment: what was trained once is read.
"""

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from expunge.bench.experiment import Experiment, read_experiment, with_overrides
from expunge.bench.grid import original_stage
from expunge.bench.stages import ensure, predict_stage
from expunge.bench.stages.predict import load_predictions
from expunge.bench.stages.train import RECORD
from expunge.bench.workspace import Workspace

from benchmarks.timing import Figure, figure
from expunge.cli.options import workspace
from expunge.metrics.accuracy import accuracy
from expunge.runs import environment, read_object, write_json


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
    place = workspace(options.store, compiled=options.compile)
    slow, fast = (
        with_overrides(read_experiment(path), source=options.data)
        for path in (options.slow, options.fast)
    )
    seeds = {"slow": options.slow_seeds or options.seeds, "fast": options.seeds}
    figures = compared(place, slow, fast, seeds)
    for item in figures:
        print(f"{item.name}: {item.value:.3f} {item.unit} ({item.spread}, n={item.n})")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        options.out,
        {"schema": 1, "env": environment(), "figures": [asdict(item) for item in figures]},
    )


def compared(
    place: Workspace, slow: Experiment, fast: Experiment, seeds: Mapping[str, int]
) -> list[Figure]:
    """Test accuracy and seconds of both, and the ratios of epochs and of seconds.

    The ratio of seconds is of seeds that both have.
    """
    found = {
        name: _trained(place, each, seeds[name]) for name, each in (("slow", slow), ("fast", fast))
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


def _trained(
    place: Workspace, experiment: Experiment, seeds: int
) -> tuple[list[float], list[float]]:
    """Test accuracies and seconds of the original models of each seed."""
    accuracies, seconds = [], []
    for seed in range(seeds):
        model = ensure(place, original_stage(place, experiment, seed))
        found = load_predictions(place, ensure(place, predict_stage(place, model)))
        accuracies.append(accuracy(found["test"].logits, found["test"].labels))
        seconds.append(read_object(place.store.path(model) / RECORD)["seconds"])
    return accuracies, seconds


if __name__ == "__main__":
    main()
