"""How a search is done: its objective and its number of trials."""

from dataclasses import dataclass

from expunge.errors import ConfigError, unknown
from expunge.settings import check_range

OBJECTIVES = ("oracle", "no_oracle")


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """The objective of a search, and its number of trials."""

    objective: str = "no_oracle"
    """`oracle`: the gap to Retrain; `no_oracle`: evidence without a retrained model."""
    budget: float = 1.0
    """Points that RA and the validation accuracy may each lose at no cost, for `no_oracle`."""
    trials: int = 20
    """How many settings to try."""
    seed: int = 0
    """Of the proposals."""
    grid: bool = False
    """Try values at equal distances over the range of the one searched setting (in its logarithm,
    where that is searched), not what Optuna proposes."""

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ConfigError(unknown("objective", self.objective, OBJECTIVES))
        check_range("budget", self.budget, 0, 100)
        check_range("trials", self.trials, 1, None)
        check_range("seed", self.seed, 0, None)
