"""Forget what a network has learnt by heart: the samples of the highest memorisation estimate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios.base import Parsed
from expunge.settings import check_range

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows

MODELS = 50
"""Subset models that an estimate is made from where no number is given."""


@dataclass(frozen=True)
class ByMemorisation(Parsed):
    """The share of the training samples with the highest estimate of Feldman and Zhang.

    The estimate needs models that were trained on random halves of the samples; commands make them.

    Raises:
        ConfigError: the share is not between 0 and 1, or there are fewer than two models.
    """

    share: float
    """Part of the training samples, between 0 and 1, both excluded."""
    models: int = MODELS
    """How many subset models the estimate is made from."""
    order: tuple[str, ...] | None = field(default=None, repr=False)
    """Ids of samples, most memorised first; None until they are estimated."""

    def __post_init__(self) -> None:
        check_range("the share to forget", self.share, 0, 1)
        if not 0 < self.share < 1:
            raise ConfigError(
                f"the share to forget must be between 0 and 1, both excluded, got {self.share!r}"
            )
        check_range("the number of subset models", self.models, 2, None)

    @property
    def name(self) -> str:
        """The text form, for example `memorised:0.1`."""
        models = "" if self.models == MODELS else f":{self.models}"
        return f"memorised:{self.share}{models}"

    def ranked(self, order: Iterable[str]) -> ByMemorisation:
        """The same scenario, with the ids of samples, most memorised first."""
        return replace(self, order=tuple(order))

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """The `round(share * N)` most memorised of N samples; no classes.

        Raises:
            ForgetError: there are no estimates, or for too few samples.
        """
        import numpy as np

        if self.order is None:
            raise ForgetError(
                f"{self.name!r} needs estimates from models trained on halves of the data, which "
                "commands make: use expunge unlearn or bench, or by_memorisation(...).ranked(ids)"
            )
        place = {name: row for row, name in enumerate(samples.ids)}
        known = [place[name] for name in self.order if name in place]
        wanted = self.count(samples)
        if len(known) < wanted:
            raise ForgetError(
                f"{self.name!r} forgets {wanted} samples, and only {len(known)} have an estimate: "
                "choose more subset models"
            )
        return np.array(sorted(known[:wanted]), dtype=np.int64), ()

    def count(self, samples: Listed) -> int:
        """`round(share * N)`."""
        return round(self.share * len(samples.ids))


def by_memorisation(share: float, models: int = MODELS) -> ByMemorisation:
    """Forget the most memorised share of the training samples.

    >>> by_memorisation(0.1).name, by_memorisation(0.1, models=100).name
    ('memorised:0.1', 'memorised:0.1:100')

    Raises:
        ConfigError: the share is not between 0 and 1, or there are fewer than two models.
    """
    return ByMemorisation(share, models)
