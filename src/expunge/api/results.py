"""What the functions return."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from expunge.metrics.draws import Draws
from expunge.statistics.intervals import Interval
from expunge.types import Mask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Sparse:
    """A pruned model and its mask."""

    model: nn.Module
    mask: Mask
    notes: tuple[str, ...] = ()
    """What there is to know about the model, one line each."""


@dataclass(frozen=True)
class Unlearned:
    """The result of unlearning."""

    model: nn.Module
    mask: Mask | None
    method: str
    config: Any
    seconds: float
    """Run-time efficiency (RTE): the run time of the method."""
    forgotten_ids: tuple[str, ...] = ()
    """The ids of the samples that it has forgotten."""
    notes: tuple[str, ...] = ()
    """What there is to know about the result, one line each."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """Scores of training samples for predictions: above zero helpful, below zero harmful."""

    scores: "npt.NDArray[np.float64]"
    """`(T, N)`, of T targets by N training samples."""
    train_ids: tuple[str, ...]
    target_ids: tuple[str, ...]
    method: str
    config: Any
    notes: tuple[str, ...] = ()
    """What there is to know about the scores, one line each."""

    def helpful(self, target: int, top: int = 5) -> list[tuple[str, float]]:
        """Ids and scores of up to `top` training samples that help a target most, by its row."""
        return self._first(target, top, -1)

    def harmful(self, target: int, top: int = 5) -> list[tuple[str, float]]:
        """Ids and scores of up to `top` training samples that harm a target most, by its row."""
        return self._first(target, top, 1)

    def _first(self, target: int, top: int, sign: int) -> list[tuple[str, float]]:
        row = self.scores[target]
        order = (sign * row).argsort(kind="stable")[:top].tolist()
        return [
            (self.train_ids[place], float(row[place])) for place in order if sign * row[place] < 0
        ]


@dataclass(frozen=True)
class Evaluation:
    """Metrics in percent, and their absolute differences from a retrained model, if given."""

    metrics: dict[str, float | None]
    gap: dict[str, float] | None
    gap_reason: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    """By metric without a value: why it has none."""
    draws: dict[str, Draws] = field(default_factory=dict)
    """By metric that is a mean over draws of the attacker's sample: the draws."""
    intervals: dict[str, Interval] = field(default_factory=dict)
    """Wilson's 95 % intervals of accuracies on test samples, `ta` and `ta_forgotten`."""

    def __str__(self) -> str:
        """A small table: metric, value, gap, and the spread of draws."""
        names = {
            "ua": "unlearning accuracy UA",
            "ra": "remaining accuracy RA",
            "ta": "testing accuracy TA",
            "ta_forgotten": "TA on forgotten classes",
            "mia_efficacy": "MIA-efficacy",
            "mia_privacy": "MIA-privacy",
        }
        lines = []
        for key, name in names.items():
            value = self.metrics.get(key)
            if value is not None:
                difference = "" if self.gap is None or key not in self.gap else self.gap[key]
                shown = f"  (gap {difference:.2f})" if difference != "" else ""
                spread = _spread(self.draws.get(key)) + _bounds(self.intervals.get(key))
                lines.append(f"{name:<26}{value:7.2f} %{shown}{spread}")
        lines.append(
            f"{'mean gap to Retrain':<26}{self.gap['avg']:7.2f}"
            if self.gap is not None
            else f"no gap: {self.gap_reason}"
        )
        lines += [
            f"no {names.get(key, key)}: {reason}"
            for key, reason in self.reasons.items()
            # In most scenarios there are no forgotten classes to measure on.
            if key != "ta_forgotten"
        ]
        return "\n".join(lines)


def _bounds(interval: Interval | None) -> str:
    """The bounds of an interval."""
    return "" if interval is None else f"  (95 %: {interval.low:.2f} to {interval.high:.2f})"


def _spread(draws: Draws | None) -> str:
    """The standard error and the median of draws."""
    if draws is None:
        return ""
    text = f"  ±{draws.standard_error:.2f}, median {draws.percentile(50):.2f} of {draws.n} draws"
    return text if draws.agree else f"{text}, which disagree"
