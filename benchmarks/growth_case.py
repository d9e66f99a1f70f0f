"""Time and memory of one method at one size, in a process of its own: it prints them as JSON."""

import json
import sys
from dataclasses import asdict, dataclass, fields, replace

from benchmarks.memory import now, peak
from benchmarks.workload import Workload
from expunge.methods import get_method
from expunge.methods.method import Method
from expunge.methods.run import run_method
from expunge.runs import JSON
from expunge.scenarios import at_random, make_split
from expunge.settings import Training
from expunge.types import Context, Split

SHAPE = (3, 8, 8)
WARMUP = 64
"""Samples of the run before the measured ones."""
BUDGET = 3.0
"""Seconds after which no further round begins."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What grows."""

    samples: int
    forget: int
    width: float

    @property
    def work(self) -> Workload:
        return Workload("resnet8", SHAPE, 256, width=self.width)


def measured(name: str, size: Size, rounds: int) -> dict[str, JSON]:
    """Seconds of every round, as many as the budget allows; what the process held, in bytes."""
    method = get_method(name)
    work = size.work
    model = work.build()
    context = Context(
        fabric=work.fabric(),
        training=Training(epochs=1, lr=1e-3, schedule="constant"),
        rebuild=lambda seed: work.build(),
    )
    config = one_epoch(method)
    # Kernels are made when they are first used.
    run_method(method, model, split(work, WARMUP, WARMUP // 8), config, context)
    data = split(work, size.samples, size.forget)
    before = now()
    seconds: list[float] = []
    while not seconds or (len(seconds) < rounds and sum(seconds) < BUDGET):
        seconds.append(run_method(method, model, data, config, context)[1])
    return {
        "method": name,
        **asdict(size),
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": seconds,
        "before_bytes": before,
        # The system notes the highest mark a little late.
        "peak_bytes": max(before, peak()),
    }


def one_epoch(method: Method) -> object:
    """The method's published settings, with one epoch where it has epochs; its steps are small."""
    given = {"epochs": 1, "lr": 1e-5}
    known = {field.name for field in fields(method.config)}
    return replace(method.config(), **{key: value for key, value in given.items() if key in known})


def split(work: Workload, samples: int, forget: int) -> Split:
    """Exactly `forget` of so many samples are to go."""
    return make_split(work.samples(samples), at_random(forget / samples, seed=0))


def main(words: list[str]) -> None:
    name, size, rounds = words
    print(json.dumps(measured(name, Size(**json.loads(size)), int(rounds))))


if __name__ == "__main__":
    main(sys.argv[1:])
