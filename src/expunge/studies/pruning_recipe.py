"""The settings of the comparison of pruners: the table `[pruning]` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from expunge.config import from_mapping
from expunge.errors import ConfigError, unknown
from expunge.settings import check_range
from expunge.statistics.claims import Direction, check_contrast, check_names, with_sides
from expunge.studies.claims import check_level, claim_tables
from expunge.studies.recipe import (
    Chosen,
    Experiment,
    parse_experiment,
    read_recipe,
    recipe_tables,
)
from expunge.studies.scales import PAPER, placed

TABLE = "pruning"
Against = Literal["itself", "order", "random", "forget"]


@dataclass(frozen=True, kw_only=True)
class PruningSide:
    """A pruner's mask at a sparsity, and the other mask that its overlap is with."""

    pruner: str
    sparsity: float
    """0-1."""
    against: Against = "forget"
    """`forget`: the mask found without D_f; `random`: without as many samples by lot; `order`: from
    the same samples in another order; `itself`: an overlap of 1. For `jaccard` and `kept` only."""


@dataclass(frozen=True, kw_only=True)
class PruningClaim:
    """One contrast, named before anything is measured.

    Raises:
        ConfigError: the name is empty, the effect does not fit the measure, or both sides are the
            same.
    """

    name: str
    """The claim in words."""
    measure: Literal["cost", "accuracy", "jaccard", "kept"]
    """`cost`: time of pruning over that of training the dense model; `accuracy`: test accuracy
    minus the dense model's, in points; `jaccard` and `kept`: the overlap of two masks."""
    first: PruningSide
    second: PruningSide
    direction: Direction
    effect: float
    """The smallest difference worth a claim; with `within`, the largest that counts as none. For
    `cost` it is a factor above 1."""
    scenario: str | None = None
    """Which D_f; for overlaps, if the recipe has several."""

    def __post_init__(self) -> None:
        check_contrast(self.name, self.effect, self.first, self.second)
        if self.measure == "cost" and self.effect <= 1:
            raise ConfigError(
                f"claim {self.name!r}: the effect on cost is a factor above 1, got {self.effect:g}"
            )


@dataclass(frozen=True, kw_only=True)
class PruningSettings:
    """What the comparison of pruners needs besides the grid's models.

    Raises:
        ConfigError: a number is out of range, or two claims have the same name.
    """

    order: int = 1
    """Which other order of the samples."""
    draw: int = 0
    """Which draw by lot."""
    claims: tuple[PruningClaim, ...] = ()

    def __post_init__(self) -> None:
        check_range("order", self.order, 1, None)
        check_range("draw", self.draw, 0, None)
        check_names([claim.name for claim in self.claims])


def read_pruning(path: Path, scale: str = PAPER) -> tuple[Experiment, PruningSettings]:
    """The models and the comparison that a TOML file describes, at one of its scales.

    Raises:
        ConfigError: the file is missing, is not TOML, or has no pruners or no table `[pruning]`.
    """
    experiment, settings = parse_pruning(read_recipe(path), str(path), scale)
    return replace(experiment, recipe=Chosen(name=path.stem, scale=scale)), settings


def parse_pruning(text: str, where: str, scale: str = PAPER) -> tuple[Experiment, PruningSettings]:
    """The same from TOML text."""
    experiment = parse_experiment(text, where, scale)
    table = recipe_tables(text, where, scale).get(TABLE)
    where = placed(where, scale)
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where}: expected a table [pruning]; it may be empty")
    if not experiment.pruners:
        raise ConfigError(f"{where}: expected pruners to compare, such as [pruners.omp]")
    inner, example = f"{where}: pruning.claims", '{ pruner = "omp", sparsity = 0.95 }'
    claims = tuple(
        from_mapping(PruningClaim, with_sides(each, PruningSide, inner, example), inner)
        for each in claim_tables(table.get("claims", []), "pruning.claims", where)
    )
    settings = from_mapping(PruningSettings, {**table, "claims": claims}, f"{where}: pruning")
    for claim in claims:
        _check(claim, experiment)
    return experiment, settings


def _check(claim: PruningClaim, experiment: Experiment) -> None:
    """Refuse a claim about what is not measured.

    Raises:
        ConfigError: a pruner, sparsity or scenario is not in the recipe.
    """
    where = f"claim {claim.name!r}"
    for side in (claim.first, claim.second):
        check_level(experiment, side.pruner, side.sparsity, where)
    if claim.measure not in ("jaccard", "kept"):
        return
    if claim.scenario is None and len(experiment.scenarios) > 1:
        raise ConfigError(f"{where}: expected scenario, one of {', '.join(experiment.scenarios)}")
    if claim.scenario is not None and claim.scenario not in experiment.scenarios:
        raise ConfigError(f"{where}: {unknown('scenario', claim.scenario, experiment.scenarios)}")
