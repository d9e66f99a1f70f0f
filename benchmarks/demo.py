"""The whole small grid as a user starts it: `expunge demo`, cold, in a folder of its own."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks import floors
from benchmarks.timing import Figure, figure, seconds
from benchmarks.workload import Workload
from expunge.cli.demo import RECIPES
from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.runtime import Place
from expunge.runs import Store
from expunge.studies.grid import plan_grid
from expunge.studies.recipe import Experiment, parse_experiment

ROUNDS = 2
DIGITS = (1, 8, 8)


def figures(rounds: int) -> list[Figure]:
    """There is no warm-up: it is the cold start that counts."""
    parts = [
        parse_experiment((files("expunge.studies") / name).read_text(encoding="utf-8"), name)
        for name in RECIPES.values()
    ]
    work = Workload(parts[0].network.name, DIGITS, parts[0].training.batch_size)
    return [
        figure(
            "demo, cold",
            [seconds(demo) for _ in range(min(rounds, ROUNDS))],
            unit="s",
            better="lower",
            floor=sum(map(operations, parts)) / max(floors.convolution_rates(work)),
            target=75.0,
        )
    ]


def demo() -> None:
    with TemporaryDirectory(prefix="expunge-demo-") as folder:
        subprocess.run(
            [sys.executable, "-m", "expunge", "demo", "--out", "demo"],
            cwd=folder,
            env={**os.environ, "EXPUNGE_CACHE": str(Path(folder) / "cache")},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def operations(experiment: Experiment) -> int:
    """What the convolutions and products of a grid add up to: it is run once more, counted."""
    with TemporaryDirectory() as folder, Counter() as counter:
        run_grid(Path(folder), experiment)
    return counter.operations


def run_grid(folder: Path, experiment: Experiment) -> None:
    """Make every node of a grid, in this process."""
    graph = Graph(Store(folder))
    plan_grid(graph, experiment)
    run(graph, Engine(), Place(device="cpu"))


class Counter(TorchDispatchMode):
    """`FlopCounterMode` without its account of modules, which takes longer than the grid."""

    operations = 0

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        out = func(*args, **given)
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.operations += formula(*args, **given, out_val=out)
        return out
