"""Forget randomly drawn samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import ConfigError
from expunge.scenarios.base import Parsed
from expunge.settings import check_range, derive_seed

if TYPE_CHECKING:
    from expunge.scenarios.base import Listed, Rows


@dataclass(frozen=True)
class AtRandom(Parsed):
    """A fraction of the training samples, drawn uniformly over all classes.

    Raises:
        ConfigError: the fraction is not between 0 and 1.
    """

    fraction: float
    """Fraction of the training samples, between 0 and 1, both excluded."""
    seed: int = 0
    """Seed of the draw."""

    def __post_init__(self) -> None:
        check_range("the fraction to forget", self.fraction, 0, 1)
        if not 0 < self.fraction < 1:
            raise ConfigError(
                f"the fraction to forget must be between 0 and 1, both excluded, "
                f"got {self.fraction!r}"
            )

    @property
    def name(self) -> str:
        """The text form, for example `random:0.1`; the seed is not part of it."""
        return f"random:{self.fraction}"

    @property
    def identity(self) -> dict[str, Any]:
        """The seed."""
        return {"seed": self.seed}

    def select(self, samples: Listed) -> tuple[Rows, tuple[int, ...]]:
        """Draw `round(fraction * N)` of N samples; no classes."""
        import torch

        generator = torch.Generator().manual_seed(derive_seed(self.seed, "random forget set"))
        order = torch.randperm(len(samples.ids), generator=generator)
        return order[: self.count(samples)].sort().values.numpy(), ()

    def count(self, samples: Listed) -> int:
        """`round(fraction * N)`."""
        return round(self.fraction * len(samples.ids))


def at_random(fraction: float, seed: int = 0) -> AtRandom:
    """Forget this fraction of the training samples, drawn with a separate generator.

    >>> at_random(0.1).name
    'random:0.1'

    Raises:
        ConfigError: the fraction is not between 0 and 1.
    """
    return AtRandom(fraction, seed)
