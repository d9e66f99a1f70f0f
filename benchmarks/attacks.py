"""The confidence attack's classifier against scikit-learn's on every single point, and its answers.

Scikit-learn needs tens of seconds for 20,000 samples, so there are two rounds at most.
"""

from collections.abc import Callable
from statistics import median
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC

from benchmarks.timing import Figure, figure, in_turn, over
from expunge.metrics.membership.svc import fit_svc

Values: TypeAlias = npt.NDArray[np.float64]

ROUNDS = 2


def figures(rounds: int, count: int = 10_000) -> list[Figure]:
    return [
        item
        for name, draw in INPUTS.items()
        for item in _compared(name, *draw(np.random.default_rng(0), count), min(rounds, ROUNDS))
    ]


def _compared(name: str, members: Values, others: Values, rounds: int) -> list[Figure]:
    verdicts: dict[str, list[npt.NDArray[np.bool_]]] = {}

    def ours() -> None:
        decide = fit_svc(members, others)
        verdicts["ours"] = [decide(values) >= 0 for values in (members, others)]

    def scikit_learn() -> None:
        machine = SVC(C=3, kernel="rbf", gamma="auto")
        labels = np.repeat([1, 0], [len(members), len(others)])
        machine.fit(np.concatenate((members, others)).reshape(-1, 1), labels)
        verdicts["theirs"] = [
            machine.predict(values.reshape(-1, 1)) == 1 for values in (members, others)
        ]

    # The first of ours also loads what it needs; scikit-learn's needs no warming up.
    ours()
    ordered = np.concatenate((members, others))
    sides = {"ours": ours, "theirs": scikit_learn, "order": lambda: np.sort(ordered)}
    times = in_turn(sides, rounds, warmup=0)
    equal = [a == b for a, b in zip(verdicts["ours"], verdicts["theirs"], strict=True)]
    apart = [
        100 * abs(float(a.mean() - b.mean()))
        for a, b in zip(verdicts["ours"], verdicts["theirs"], strict=True)
    ]
    what = f"confidence attack, {len(members):,} + {len(others):,} samples, {name}"
    # Samples that one plane separates are no work for scikit-learn either.
    target = None if name == SEPARABLE else 50.0
    return [
        figure(
            f"{what}: speed over scikit-learn",
            over(times["theirs"], times["ours"]),
            # To put the samples in order is the least that a threshold takes.
            floor=median(times["theirs"]) / median(times["order"]),
            target=target,
        ),
        figure(
            f"{what}: equal verdicts",
            [100 * float(np.concatenate(equal).mean())],
            unit="% of samples",
            floor=100.0,
            target=99.9,
        ),
        figure(
            f"{what}: difference of a class's share",
            [max(apart)],
            unit="points",
            better="lower",
            floor=0.0,
            target=0.1,
        ),
    ]


def _separable(rng: np.random.Generator, count: int) -> tuple[Values, Values]:
    return 0.9 + 0.1 * rng.random(count), 0.5 * rng.random(count)


def _realistic(rng: np.random.Generator, count: int) -> tuple[Values, Values]:
    """Both near 1; some test samples are wrong."""
    wrong = rng.random(count) < 0.07
    margins = np.where(wrong, rng.normal(-2, 3, count), rng.normal(7, 3, count))
    return _sigmoid(rng.normal(9, 2, count)), _sigmoid(margins)


def _overlapping(rng: np.random.Generator, count: int) -> tuple[Values, Values]:
    return rng.beta(5, 2, count), rng.beta(2, 2, count)


def _tied(rng: np.random.Generator, count: int) -> tuple[Values, Values]:
    """A hundred different values, most of both exactly 1."""
    members = np.where(rng.random(count) < 0.95, 1.0, rng.random(count))
    others = np.where(rng.random(count) < 0.8, 1.0, rng.random(count))
    return members.round(2), others.round(2)


def _sigmoid(margins: Values) -> Values:
    """As float32 has it, which is what a model gives."""
    return (1 / (1 + np.exp(-margins))).astype(np.float32).astype(np.float64)


SEPARABLE = "separable"
INPUTS: dict[str, Callable[[np.random.Generator, int], tuple[Values, Values]]] = {
    SEPARABLE: _separable,
    "realistic": _realistic,
    "overlapping": _overlapping,
    "heavily tied": _tied,
}
