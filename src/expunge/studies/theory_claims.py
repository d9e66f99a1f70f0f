"""Claims about the theorem's quantities: the table `[theory]` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from expunge.config import from_mapping, to_mapping
from expunge.errors import ConfigError, unknown
from expunge.statistics.claims import Direction, check_contrast, check_names
from expunge.studies.claims import check_level, claim_tables
from expunge.studies.contrasts import judged
from expunge.studies.recipe import Experiment, read_experiment, read_recipe, recipe_tables
from expunge.studies.scales import PAPER, placed
from expunge.studies.subsets import left_out

TABLE = "theory"
CORRELATION = "correlation"
_OF = ("moved", "sigma", "sigma_start", "bound", "sparsity")


@dataclass(frozen=True, kw_only=True)
class TheoryClaim:
    """One claim, named before anything is measured.

    Either how many times a quantity at `sparsity` is what it is for the dense network; or, over
    all sparsities of a pruner, the rank correlation of e(m) with what `of` names, against 0.

    Raises:
        ConfigError: the name is empty, or the effect or `of` does not fit the measure.
    """

    name: str
    """The claim in words."""
    scenario: str
    pruner: str
    measure: Literal["error", "moved", "sigma", "sigma_start", "bound", "correlation"]
    """`error` is e(m), the distance of the theorem's unlearner to Retrain; `moved` is
    ‖m ⊙ (θ_t − θ_0)‖₂; `correlation` is Spearman's."""
    direction: Direction
    effect: float
    """The smallest factor above 1 that is worth a claim; of a correlation, the smallest size."""
    sparsity: float | None = None
    """0-1; not for correlations."""
    of: str | None = None
    """`moved`, `sigma`, `sigma_start`, `bound` or `sparsity`; for correlations only."""

    def __post_init__(self) -> None:
        check_contrast(self.name, self.effect, self.pruner, "none")
        where = f"claim {self.name!r}"
        if self.measure != CORRELATION:
            if self.sparsity is None or self.of is not None:
                raise ConfigError(f"{where}: {self.measure} needs a sparsity, and no of")
            if self.effect <= 1:
                raise ConfigError(f"{where}: the effect is a factor above 1, got {self.effect:g}")
            return
        if self.of not in _OF or self.sparsity is not None:
            raise ConfigError(
                f"{where}: a correlation needs of, one of {', '.join(_OF)}, and no sparsity"
            )
        if self.effect > 1:
            raise ConfigError(f"{where}: a correlation is at most 1, got effect {self.effect:g}")


def read_theory(
    path: Path, scale: str = PAPER, only: str | None = None
) -> tuple[Experiment, tuple[TheoryClaim, ...]]:
    """The models of a recipe or of a part of it, and the claims about them.

    Claims about what `only` leaves out are left out as well, and named in the experiment's recipe.

    Raises:
        ConfigError: the file is not a recipe, or has no such scale or part; its claims are none, or
            about what the whole recipe does not measure.
    """
    table = recipe_tables(read_recipe(path), str(path), scale).get(TABLE, {})
    whole = read_experiment(path, scale)
    claims = parse_theory_claims(table, whole, placed(str(path), scale))
    if only is None:
        return whole, claims
    part = read_experiment(path, scale, only)
    kept = tuple(claim for claim in claims if _has(part, claim))
    gone = [repr(claim.name) for claim in claims if claim not in kept]
    if gone and part.recipe is not None:
        named = (*part.recipe.left_out, left_out("claim", gone))
        part = replace(part, recipe=replace(part.recipe, left_out=named))
    return part, kept


def _has(experiment: Experiment, claim: TheoryClaim) -> bool:
    try:
        _check(claim, experiment)
    except ConfigError:
        return False
    return True


def parse_theory_claims(
    table: object, experiment: Experiment, where: str
) -> tuple[TheoryClaim, ...]:
    """The same from the table."""
    if not isinstance(table, Mapping) or table.keys() - {"claims"}:
        raise ConfigError(f"{where}: theory holds claims only, each under [[theory.claims]]")
    claims = tuple(
        from_mapping(TheoryClaim, each, f"{where}: theory.claims")
        for each in claim_tables(table.get("claims", []), "theory.claims", where)
    )
    check_names([claim.name for claim in claims])
    for claim in claims:
        _check(claim, experiment)
    return claims


def _check(claim: TheoryClaim, experiment: Experiment) -> None:
    where = f"claim {claim.name!r}"
    if claim.scenario not in experiment.scenarios:
        raise ConfigError(f"{where}: {unknown('scenario', claim.scenario, experiment.scenarios)}")
    check_level(experiment, claim.pruner, claim.sparsity, where)


def judge_theory(claim: TheoryClaim, points: list[dict[str, Any]]) -> dict[str, Any]:
    """A claim with its verdict over seeds.

    A seed without a number on both sides is left out: of a factor, where a quantity is 0; of a
    correlation, where there are fewer than three sparsities.
    """
    here = [
        point
        for point in points
        if point["scenario"] == claim.scenario and point["pruner"] in ("none", claim.pruner)
    ]
    first, second = _correlations(claim.of, here) if claim.of else _levels(claim, here)
    as_factor = claim.of is None
    found = judged(first, second, claim.direction, claim.effect, as_factor=as_factor)
    return {**to_mapping(claim), **found, "what": _what(claim)}


def _what(claim: TheoryClaim) -> str:
    """What is compared, in words."""
    if claim.of:
        return f"rank correlation of e(m) with {claim.of}, {claim.pruner}"
    return f"{claim.measure} of {claim.sparsity:.0%} {claim.pruner} over that of dense"


def _levels(
    claim: TheoryClaim, points: list[dict[str, Any]]
) -> tuple[dict[int, float], dict[int, float]]:
    sides: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for side, level in zip(sides, (claim.sparsity, 0.0), strict=True):
        for point in points:
            value = error(point) if claim.measure == "error" else point[claim.measure]
            if point["sparsity"] == level and value > 0:
                side[point["seed"]] = value
    return sides


def _correlations(
    of: str, points: list[dict[str, Any]]
) -> tuple[dict[int, float], dict[int, float]]:
    found = {}
    for seed in dict.fromkeys(point["seed"] for point in points):
        own = [point for point in points if point["seed"] == seed]
        value = rank_correlation([error(point) for point in own], [each[of] for each in own])
        if value is not None:
            found[seed] = value
    return found, dict.fromkeys(found, 0.0)


def error(point: Mapping[str, Any]) -> float:
    """e(m): the distance of the theorem's unlearner to Retrain."""
    return float(point["distances"]["add_back"])


def rank_correlation(one: list[float], other: list[float]) -> float | None:
    """Spearman's; None for fewer than three points, or if one of the two is constant."""
    from scipy.stats import spearmanr

    if len(one) < 3 or len(set(one)) == 1 or len(set(other)) == 1:
        return None
    return float(spearmanr(one, other).statistic)
