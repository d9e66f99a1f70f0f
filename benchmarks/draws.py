"""MIA-efficacy over draws of the attacker's sample, against scikit-learn draw by draw."""

import numpy as np
from sklearn.svm import SVC

from benchmarks.attacks import INPUTS, SEPARABLE
from benchmarks.timing import Figure, figure, in_turn, over
from expunge.metrics.draws import FEW
from expunge.metrics.membership.protocol import Known, efficacy_over_draws
from expunge.metrics.membership.sampling import draw, keys_of


def figures(rounds: int, retained: int = 1300, unseen: int = 320) -> list[Figure]:
    """By default of about as many samples as the demo has."""
    names = [name for name in INPUTS if name != SEPARABLE]
    return [item for name in names for item in _compared(name, rounds, retained, unseen)]


def _compared(name: str, rounds: int, count: int, size: int) -> list[Figure]:
    rng = np.random.default_rng(0)
    retained, _ = INPUTS[name](rng, count)
    forget, unseen = INPUTS[name](rng, size)
    keys = keys_of(map(str, range(count))), keys_of(map(str, range(size)))
    found: dict[str, list[float]] = {}

    def ours() -> None:
        draws = efficacy_over_draws(Known(retained, keys[0]), Known(unseen, keys[1]), forget, 0)
        found["ours"] = [*draws.values[:FEW]]

    def scikit_learn() -> None:
        found["theirs"] = []
        for number in range(FEW):
            members = retained[draw(keys[0], size, 0, number)[0]]
            machine = SVC(C=3, kernel="rbf", gamma="auto")
            values = np.concatenate((members, unseen)).reshape(-1, 1)
            machine.fit(values, np.repeat([1, 0], size))
            judged = machine.predict(forget.reshape(-1, 1))
            found["theirs"].append(100 * float(np.mean(judged == 0)))

    times = in_turn({"ours": ours, "theirs": scikit_learn}, rounds)
    apart = np.abs(np.array(found["ours"]) - found["theirs"])
    what = f"MIA-efficacy over {FEW} draws, {count:,} retained, {size:,} test, {name}"
    return [
        figure(
            f"{what}: speed over scikit-learn",
            over(times["theirs"], times["ours"]),
            floor=1.0,
            target=1.3,
        ),
        figure(
            f"{what}: largest difference of a draw",
            [float(apart.max())],
            unit="points",
            better="lower",
            floor=0.0,
            target=100 / size,
        ),
    ]
