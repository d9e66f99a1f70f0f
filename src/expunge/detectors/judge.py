"""How well a detector did, where it is known which samples are poisoned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.errors import DataError

if TYPE_CHECKING:
    from expunge.detectors.evidence import Flags, Floats


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The counts behind precision and recall, and the area under the curve."""

    poisoned: int
    """How many samples are poisoned."""
    clean: int
    """How many are not."""
    found: int
    """How many poisoned samples are suspected."""
    accused: int
    """How many others are."""
    auroc: float
    """Percentage of pairs in which the poisoned sample has the higher score; 50 is guessing."""

    @property
    def recall(self) -> float:
        """Percentage of the poisoned samples that are suspected."""
        return 100 * self.found / self.poisoned

    @property
    def false_positives(self) -> float:
        """Percentage of the other samples that are suspected."""
        return 100 * self.accused / self.clean

    @property
    def precision(self) -> float | None:
        """Percentage of the suspects that are poisoned; None if nothing is suspected."""
        suspects = self.found + self.accused
        return 100 * self.found / suspects if suspects else None


def judge(scores: Floats, suspected: Flags, poisoned: Flags) -> Judgement:
    """Judge the `scores` `(N,)`, and the samples `suspected`, bool `(N,)`, by those `poisoned`.

    Raises:
        DataError: no sample is poisoned, or all are.
    """
    from expunge.metrics.membership.ranking import area_under_curve

    if poisoned.all() or not poisoned.any():
        raise DataError(
            f"a detector is judged where some samples are poisoned and some are not, got "
            f"{int(poisoned.sum())} of {len(poisoned)}"
        )
    return Judgement(
        poisoned=int(poisoned.sum()),
        clean=int((~poisoned).sum()),
        found=int((suspected & poisoned).sum()),
        accused=int((suspected & ~poisoned).sum()),
        auroc=area_under_curve(scores[poisoned], scores[~poisoned]),
    )
