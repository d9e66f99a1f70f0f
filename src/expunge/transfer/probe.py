"""Linear probe: a linear classifier on the features of a network that stays as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from expunge.settings import check_range

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """Settings of a linear probe.

    Raises:
        ConfigError: a setting is out of range.
    """

    strength: float = 1.0
    """Weight of the data against the ℓ2 penalty of the classifier's weights."""
    iterations: int = 500
    """Largest number of steps of the solver (L-BFGS)."""

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 1e-12, None)
        check_range("iterations", self.iterations, 1, None)


def probe(train: Floats, labels: Labels, others: list[Floats], config: ProbeConfig) -> list[Labels]:
    """The classes that a probe of the training features `(N, F)` gives to other features `(M, F)`.

    Features are centred on the training samples, and divided by one number, so that their mean
    variance is 1: a feature that is constant up to rounding stays so. The probe is logistic
    regression with an ℓ2 penalty, and draws nothing.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    centre, scale = train.mean(0), float(train.var(0).mean()) ** 0.5 or 1.0
    found = LogisticRegression(C=config.strength, max_iter=config.iterations)
    with warnings.catch_warnings():
        # Stopping early is a choice of the settings, as with the epochs of fine-tuning.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found.fit((train - centre) / scale, labels)
    return [found.predict((each - centre) / scale) for each in others]
