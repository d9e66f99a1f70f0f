"""What a transfer study is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from expunge.errors import ConfigError, unknown
from expunge.settings import check_choice, check_range

SELECTIONS = ("harmful", "helpful", "random")
"""Which source classes to forget: those with the lowest influence, with the highest, or any."""

HOW = ("probe", "fine_tuning")
"""How a model is brought to the target task: a linear probe, or training the whole network."""


@dataclass(frozen=True, kw_only=True)
class InfluenceSettings:
    """How the influence of source classes is estimated.

    Raises:
        ConfigError: a setting is out of range.
    """

    subsets: int = 200
    """How many models, each trained without a random share of the source classes."""
    share: float = 0.5
    """The share of the classes that each is trained without."""
    epochs: int | None = None
    """Passes of each; default: as the source model."""

    def __post_init__(self) -> None:
        check_range("subsets", self.subsets, 4, None)
        check_range("share", self.share, 0, 1)
        if not 0 < self.share < 1:
            raise ConfigError(f"share must be between 0 and 1, both excluded, got {self.share!r}")
        if self.epochs is not None:
            check_range("epochs", self.epochs, 1, None)


@dataclass(frozen=True, kw_only=True)
class TransferClaim:
    """One contrast, named beforehand: forgetting harmful classes against forgetting others.

    Raises:
        ConfigError: a setting is out of range.
    """

    method: str
    """The method that forgets the classes on both sides."""
    number: int
    """How many classes."""
    effect: float
    """The smallest difference of target accuracy worth a claim, in percentage points."""
    against: Literal["random", "helpful", "nothing"] = "nothing"
    """The other side: random classes, the most helpful ones, or the model with all classes."""
    how: Literal["probe", "fine_tuning"] = "probe"
    """How target accuracy is measured."""
    pruner: str = "none"
    """Of the source model on both sides."""
    sparsity: float = 0.0
    """Of the source model on both sides, 0-1."""

    def __post_init__(self) -> None:
        check_choice("against", self.against, ("random", "helpful", "nothing"))
        check_choice("how", self.how, HOW)
        check_range("effect", self.effect, 0, None)
        if self.effect == 0:
            raise ConfigError("effect must be above 0, got 0")


def check_numbers(numbers: tuple[int, ...], classes: int, subsets: int) -> None:
    """Refuse numbers of classes to forget that the source has not, and too few subsets.

    Raises:
        ConfigError: names the numbers, and how many classes there are.
    """
    if not numbers or len(set(numbers)) < len(numbers):
        raise ConfigError(f"expected one or more different numbers of classes, got {list(numbers)}")
    for number in numbers:
        if not 1 <= number < classes:
            raise ConfigError(
                f"expected 1 to {classes - 1} of {classes} source classes to forget, got {number}"
            )
    if subsets < classes:
        raise ConfigError(
            f"{subsets} subset models are fewer than the {classes} source classes: influences "
            f"would be guesses; expected {classes} or more"
        )


def check_claim(
    claim: TransferClaim,
    numbers: tuple[int, ...],
    methods: tuple[str, ...],
    ways: tuple[str, ...],
    levels: tuple[tuple[str, float], ...],
) -> None:
    """Refuse a claim about what the study does not measure.

    `ways` are how it brings models to the target, `levels` its pruners, each with a sparsity.

    Raises:
        ConfigError: names what there is.
    """
    if claim.method not in methods:
        raise ConfigError(f"claim: {unknown('method', claim.method, methods)}")
    if claim.number not in numbers:
        raise ConfigError(
            f"claim: expected a number of classes among {list(numbers)}, got {claim.number}"
        )
    if claim.how not in ways:
        raise ConfigError(
            f"claim: the study does not measure by {claim.how}: add a table [{claim.how}], or "
            f"claim by {' or '.join(ways)}"
        )
    if (claim.pruner, claim.sparsity) not in levels:
        there = ", ".join(f"{pruner} at {sparsity:g}" for pruner, sparsity in levels)
        raise ConfigError(
            f"claim: expected a pruner and a sparsity among {there}, got {claim.pruner} at "
            f"{claim.sparsity:g}"
        )
