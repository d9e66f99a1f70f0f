"""The strength γ of the ℓ1 penalty over the epochs (Jia et al. 2023)."""

from __future__ import annotations

from typing import Literal, get_args

from expunge.settings import check_choice, check_range

GammaSchedule = Literal["linear_decay", "constant", "linear_growth"]
"""How the penalty strength changes over the epochs."""


def gamma_at(schedule: GammaSchedule, gamma: float, epoch: int, epochs: int) -> float:
    """The penalty strength in `epoch`, 0 to `epochs` - 1, with peak `gamma`.

    With t the epoch and T the number of epochs: `linear_decay`, the paper's choice, is γ(1 − t/T),
    from γ to γ/T; `constant` is γ; `linear_growth` is γ(t + 1)/T, the decay in reverse, from γ/T to
    γ. The paper gives no formula for growth; with this one, both sum to the same penalty.

    >>> [gamma_at("linear_decay", 1.0, epoch, 4) for epoch in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    >>> [gamma_at("linear_growth", 1.0, epoch, 4) for epoch in range(4)]
    [0.25, 0.5, 0.75, 1.0]

    Raises:
        ConfigError: the schedule is unknown, gamma is negative, or the epoch is out of range.
    """
    check_choice("schedule", schedule, get_args(GammaSchedule))
    check_range("gamma", gamma, 0, None)
    check_range("epochs", epochs, 1, None)
    check_range("epoch", epoch, 0, epochs - 1)
    if schedule == "linear_decay":
        return gamma * (1 - epoch / epochs)
    if schedule == "linear_growth":
        return gamma * ((epoch + 1) / epochs)
    return gamma
