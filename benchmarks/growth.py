"""How time and memory of every method grow: with samples, with those to forget, with parameters.

Every method of the registry is run at a few sizes, each in a process of its own. A method whose
time is a power of the size lies on a line in logarithms; its slope is the exponent.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks import results
from benchmarks.growth_case import Size
from benchmarks.timing import Figure, figure
from expunge.methods import METHODS

ROOT = Path(__file__).parent.parent
OUT = Path("build/growth.json")
LINEAR = 1.1
"""An exponent up to this counts as linear: a tenth is for what is not exactly a power."""
LEAST_BYTES = 2**20
"""What a method holds below this is lost among what the process holds anyway."""


class Series(NamedTuple):
    """One thing that grows while all else stays."""

    along: str
    """The key of a case that grows."""
    sizes: tuple[Size, ...]


_BASE = Size(samples=1500, forget=250, width=0.5)
SERIES = (
    Series("samples", tuple(replace(_BASE, samples=count) for count in (1500, 3000, 6000, 12000))),
    Series("forget", tuple(replace(_BASE, samples=3000, forget=n) for n in (250, 500, 1000, 2000))),
    Series("parameters", tuple(replace(_BASE, width=width) for width in (0.25, 0.5, 1.0, 2.0))),
)


def figures(rounds: int, series: Sequence[Series] = SERIES, out: Path = OUT) -> list[Figure]:
    """The steepest method along samples; every method's exponents are written to `out`."""
    cases: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for method in METHODS:
        print(f"  {method.name} ...", file=sys.stderr)
        for size in dict.fromkeys(size for one in series for size in one.sizes):
            cases.append(_case(method.name, size, rounds))
            results.write(out, cases=cases, exponents=rows)
        rows.append(exponents(method.name, cases, series))
        results.write(out, cases=cases, exponents=rows)
    return [
        steepest(rows, quantity, one.along)
        for quantity in ("time", "memory")
        for one in series
        if one.along != "parameters"
    ]


def exponents(
    method: str, cases: Sequence[dict[str, Any]], series: Sequence[Series]
) -> dict[str, Any]:
    """The powers of the size that one method's time and memory grow by."""
    found: dict[str, Any] = {"method": method, "time": {}, "memory": {}}
    for one in series:
        line = of_series(cases, method, one)
        sizes = [case[one.along] for case in line]
        found["time"][one.along] = exponent(sizes, [time(case) for case in line])
        found["memory"][one.along] = exponent(sizes, [held(case) for case in line])
    own = (case for case in cases if case["method"] == method)
    largest = max(own, key=lambda case: case["peak_bytes"])
    return {**found, "peak_bytes": largest["peak_bytes"], "held_bytes": held(largest)}


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the line through logarithms, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def of_series(cases: Sequence[dict[str, Any]], method: str, series: Series) -> list[dict[str, Any]]:
    """One method's cases of a series, the smallest first."""
    own = {_size(case): case for case in cases if case["method"] == method}
    return [own[size] for size in series.sizes if size in own]


def time(case: dict[str, Any]) -> float:
    """Seconds, the median of the rounds."""
    return float(median(case["seconds"]))


def held(case: dict[str, Any]) -> float:
    """Bytes of the peak that were not there before."""
    return float(max(case["peak_bytes"] - case["before_bytes"], LEAST_BYTES))


def steepest(rows: Sequence[dict[str, Any]], quantity: str, along: str) -> Figure:
    """The largest exponent of all methods, judged; spread over the methods."""
    found = {row["method"]: row[quantity][along] for row in rows}
    worst = max(found, key=lambda method: found[method])
    what = {"samples": "the samples", "forget": "the samples to forget"}[along]
    judged = figure(
        f"growth of {quantity} with {what}: steepest of {len(found)} methods, {worst}",
        [found[worst]],
        unit="(exponent)",
        better="lower",
        target=LINEAR,
    )
    return replace(judged, n=len(found), spread=(min(found.values()), found[worst]))


def _size(case: dict[str, Any]) -> Size:
    return Size(samples=case["samples"], forget=case["forget"], width=case["width"])


def _case(method: str, size: Size, rounds: int) -> dict[str, Any]:
    words = [method, json.dumps(asdict(size)), str(rounds)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth_case", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    case: dict[str, Any] = json.loads(done.stdout)
    return case
