"""Compare schedules and forms of the ℓ1 penalty, and count weights at thresholds."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from expunge.cli.options import session
from expunge.runs import write_json
from expunge.studies.folder import collect_grid
from expunge.studies.grid import plan_grid
from expunge.studies.recipe import Experiment, read_experiment


class Variant(NamedTuple):
    """A schedule and a form of the penalty; its γ is the recipe's times `factor`."""

    schedule: str
    form: str
    factor: float

    @property
    def name(self) -> str:
        times = "" if self.factor == 1 else f" ×{self.factor:g}"
        return f"l1_sparse {self.schedule} {self.form}{times}"


# Momentum of 0.9 makes of a gradient ten steps; the proximal step has none. Ten times the γ is the
# same shrinkage. Over T = 10 epochs, decay and growth add up to 5.5 γ, a constant γ to 10 γ.
VARIANTS = (
    Variant("linear_decay", "subgradient", 1),
    Variant("constant", "subgradient", 1),
    Variant("constant", "subgradient", 0.55),
    Variant("linear_growth", "subgradient", 1),
    Variant("linear_decay", "proximal", 10),
    Variant("constant", "proximal", 10),
    Variant("linear_growth", "proximal", 10),
    Variant("linear_decay", "proximal", 1),
)


def scaled(settings: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The settings with every γ in them multiplied."""
    return {
        key: scaled(value, factor)
        if isinstance(value, Mapping)
        else value * factor
        if key == "gamma"
        else value
        for key, value in settings.items()
    }


def variant_of(experiment: Experiment, variant: Variant) -> Experiment:
    """The recipe with Retrain and one ℓ1 configuration."""
    settings = scaled(experiment.methods["l1_sparse"], variant.factor)
    settings |= {"schedule": variant.schedule, "form": variant.form}
    methods = {"retrain": experiment.methods["retrain"], "l1_sparse": settings}
    return replace(experiment, methods=methods)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, default=Path("recipes/l1-schedules.toml"))
    parser.add_argument("--store", type=Path, default=Path("build/l1-schedules"))
    parser.add_argument("--out", type=Path, default=Path("build/l1-schedules.json"))
    options = parser.parse_args()
    experiment = read_experiment(options.recipe)
    space = session(options.store)
    graph = space.graph()
    others = {name: value for name, value in experiment.methods.items() if name != "l1_sparse"}
    cells = plan_grid(graph, replace(experiment, methods=others))
    for variant in VARIANTS:
        cells += [
            replace(cell, method=variant.name)
            for cell in plan_grid(graph, variant_of(experiment, variant))
            if cell.method == "l1_sparse"
        ]
    space.run(graph)
    reproduce = f"python -m benchmarks.l1_schedules --recipe {options.recipe}"
    write_json(options.out, collect_grid(space.store, experiment, cells, reproduce))


if __name__ == "__main__":
    main()
