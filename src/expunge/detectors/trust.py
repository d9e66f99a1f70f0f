"""How many clean samples are known, and how many of them may be suspected."""

from __future__ import annotations

from dataclasses import dataclass

from expunge.detectors.threshold import check_false_positives
from expunge.errors import ConfigError
from expunge.settings import check_range


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The clean samples that a detector is given, and the rate of false positives to aim at.

    Half of the samples are for the detector itself, the other half sets the threshold.

    Raises:
        ConfigError: a setting is out of range.
    """

    clean: int = 100
    """How many samples to draw from the validation samples, or from the test samples if there are
    none, in the classes' proportions. Lists of ids replace them."""
    false_positives: float = 0.05
    """Share of the clean training samples that may be suspected, on average over draws."""

    def __post_init__(self) -> None:
        check_range("clean", self.clean, 2, None)
        check_false_positives(self.false_positives)
        if self.clean // 2 * self.false_positives + self.false_positives < 1 - 1e-9:
            raise ConfigError(
                f"a false positive rate of {self.false_positives:g} needs at least "
                f"{2 * round(1 / self.false_positives - 1)} clean samples, half of which set the "
                f"threshold, got {self.clean}"
            )
