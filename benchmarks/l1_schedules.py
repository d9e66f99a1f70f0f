"""Compare schedules and forms of the ℓ1 penalty, and count weights at thresholds."""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from expunge.bench.experiment import Experiment, read_experiment
from expunge.bench.grid import run_grid
from expunge.bench.results import device_name, plain
from expunge.bench.workspace import Workspace, precision_on

from expunge.runs import Store, environment, write_json


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
    space = Workspace(Store(options.store))
    others = {name: value for name, value in experiment.methods.items() if name != "l1_sparse"}
    cells = run_grid(space, replace(experiment, methods=others))
    for variant in VARIANTS:
        for cell in run_grid(space, variant_of(experiment, variant)):
            if cell["method"] == "l1_sparse":
                cells.append({**cell, "method": variant.name})
        print(f"measured {variant.name}", flush=True)
    document: dict[str, Any] = {
        "schema": 1,
        "title": experiment.title,
        "env": {
            **environment(),
            "device": device_name(space),
            "precision": precision_on(space.device, experiment.precision),
        },
        "settings": plain(experiment),
        "reproduce": f"python benchmarks/l1_schedules.py --recipe {options.recipe}",
        "cells": cells,
    }
    write_json(options.out, document)


if __name__ == "__main__":
    main()
