"""Claims in a recipe: reading them, and refusing those that its grid has no cells for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping
from expunge.errors import ConfigError, unknown
from expunge.metrics import get_metric
from expunge.statistics.claims import Claim, Side, check_names, with_sides

if TYPE_CHECKING:
    from expunge.studies.recipe import Experiment

_GAPS = ("gap", "gap_dense")


def parse_claims(tables: object, where: str) -> tuple[Claim, ...]:
    """The claims of a recipe, from its `[[claims]]`.

    Raises:
        ConfigError: they are not claims.
    """
    example = '{ method = "ft", pruner = "omp", sparsity = 0.95 }'
    return tuple(
        from_mapping(Claim, with_sides(each, Side, f"{where}: claims", example), f"{where}: claims")
        for each in claim_tables(tables, "claims", where)
    )


def claim_tables(given: object, name: str, where: str) -> list[Mapping[str, Any]]:
    """The tables of claims that a recipe has under `name`, such as `pruning.claims`.

    Raises:
        ConfigError: they are not tables.
    """
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise ConfigError(f"{where}: {name} must be tables, each under [[{name}]]")
    return given


def check_claims(experiment: Experiment) -> None:
    """Refuse a claim about what the grid does not measure.

    Raises:
        ConfigError: a scenario, method, sparsity or measure is not in the grid, or two claims have
            the same name.
    """
    check_names([claim.name for claim in experiment.claims])
    for claim in experiment.claims:
        check_claim(experiment, claim)


def check_level(experiment: Experiment, pruner: str, sparsity: float | None, where: str) -> None:
    """Refuse a pruner, or a sparsity of it unless that is None, that a recipe does not have.

    Raises:
        ConfigError: names what there is.
    """
    if pruner not in experiment.pruners:
        raise ConfigError(f"{where}: {unknown('pruner', pruner, experiment.pruners)}")
    there = [config.sparsity for config in experiment.pruner_configs(pruner)]
    if sparsity is not None and sparsity not in there:
        raise ConfigError(f"{where}: the recipe has {pruner} at sparsity {there}, got {sparsity}")


def check_claim(experiment: Experiment, claim: Claim) -> None:
    """Refuse one claim about what the grid does not measure.

    Raises:
        ConfigError: a scenario, method, sparsity or measure is not in the grid.
    """
    where = f"claim {claim.name!r}"
    if claim.scenario not in experiment.scenarios:
        raise ConfigError(f"{where}: {unknown('scenario', claim.scenario, experiment.scenarios)}")
    for side in (claim.first, claim.second):
        _check_side(experiment, side, where)
        _check_reference(experiment, side, claim.measure, where)
    _check_measure(experiment, claim.measure, where)
    if claim.measure == "rte_s" and "original" in (claim.first.method, claim.second.method):
        raise ConfigError(f"{where}: the original unlearns nothing, so it has no rte_s")


def _check_side(experiment: Experiment, side: Side, where: str) -> None:
    references = ("original", *(("retrain_again",) if experiment.retrain_again else ()))
    methods = (*experiment.methods, *references)
    if side.method not in methods:
        raise ConfigError(f"{where}: {unknown('method', side.method, methods)}")
    run = "retrain" if side.method == "retrain_again" else side.method
    if run != "original" and not experiment.runs_at(run, side.sparsity):
        raise ConfigError(f"{where}: {side.method} is not run at sparsity {side.sparsity}")
    if (side.pruner, side.sparsity) != ("none", 0.0):
        check_level(experiment, side.pruner, side.sparsity, where)


def _check_reference(experiment: Experiment, side: Side, measure: str, where: str) -> None:
    """Refuse a gap to a Retrain that the grid does not have."""
    kind = measure.partition(".")[0]
    sparsity = {"gap": side.sparsity, "gap_dense": 0.0}.get(kind)
    if sparsity is None or "retrain" not in experiment.methods:
        return
    if not experiment.runs_at("retrain", sparsity):
        raise ConfigError(f"{where}: there is no gap without retrain at sparsity {sparsity}")


def _check_measure(experiment: Experiment, measure: str, where: str) -> None:
    kind, dot, name = measure.partition(".")
    if kind in _GAPS and "retrain" not in experiment.methods:
        raise ConfigError(f"{where}: there is no gap without the method retrain")
    if measure in _GAPS and not any(get_metric(each).compared for each in experiment.metrics):
        raise ConfigError(f"{where}: none of the metrics that a gap is over is in the recipe")
    if measure in (*_GAPS, "rte_s"):
        return
    name = name if dot and kind in _GAPS else measure
    there = [each for each in experiment.metrics if not get_metric(each).detailed]
    if name not in there:
        raise ConfigError(f"{where}: {unknown('measure', measure, (*_GAPS, 'rte_s', *there))}")
    if name != measure and not get_metric(name).compared:
        raise ConfigError(f"{where}: there is no gap of {name}")
