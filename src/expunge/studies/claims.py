"""Claims in a recipe: reading them, and refusing those that its grid has no cells for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping
from expunge.errors import ConfigError, unknown
from expunge.metrics import get_metric
from expunge.statistics.claims import Claim, Side

if TYPE_CHECKING:
    from expunge.studies.recipe import Experiment

_GAPS = ("gap", "gap_dense")


def parse_claims(tables: object, where: str) -> tuple[Claim, ...]:
    """The claims of a recipe, from its `[[claims]]`.

    Raises:
        ConfigError: they are not claims.
    """
    if not isinstance(tables, list) or not all(isinstance(each, Mapping) for each in tables):
        raise ConfigError(f"{where}: claims must be tables, each under [[claims]]")
    return tuple(_claim(each, f"{where}: claims") for each in tables)


def check_claims(experiment: Experiment) -> None:
    """Refuse a claim about what the grid does not measure.

    Raises:
        ConfigError: a scenario, method, sparsity or measure is not in the grid, or two claims have
            the same name.
    """
    names = [claim.name for claim in experiment.claims]
    for claim in experiment.claims:
        if names.count(claim.name) > 1:
            raise ConfigError(f"claim {claim.name!r} is there twice")
        check_claim(experiment, claim)


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


def _claim(table: Mapping[str, Any], where: str) -> Claim:
    sides = {}
    for name in ("first", "second"):
        if not isinstance(table.get(name), Mapping):
            raise ConfigError(
                f"{where}: {name} must be a table such as "
                '{ method = "ft", pruner = "omp", sparsity = 0.95 }'
            )
        sides[name] = from_mapping(Side, table[name], f"{where}: {name}")
    return from_mapping(Claim, {**table, **sides}, where)


def _check_side(experiment: Experiment, side: Side, where: str) -> None:
    references = ("original", *(("retrain_again",) if experiment.retrain_again else ()))
    methods = (*experiment.methods, *references)
    if side.method not in methods:
        raise ConfigError(f"{where}: {unknown('method', side.method, methods)}")
    run = "retrain" if side.method == "retrain_again" else side.method
    if run != "original" and not experiment.runs_at(run, side.sparsity):
        raise ConfigError(f"{where}: {side.method} is not run at sparsity {side.sparsity}")
    if (side.pruner, side.sparsity) == ("none", 0.0):
        return
    if side.pruner not in experiment.pruners:
        raise ConfigError(f"{where}: {unknown('pruner', side.pruner, experiment.pruners)}")
    there = [config.sparsity for config in experiment.pruner_configs(side.pruner)]
    if side.sparsity not in there:
        raise ConfigError(
            f"{where}: the grid has {side.pruner} at sparsity {there}, got {side.sparsity}"
        )


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
