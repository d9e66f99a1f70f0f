"""Published values in a recipe: reading them, and refusing those that its grid has no place for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, shown, unknown
from expunge.methods import get_method
from expunge.metrics import all_metrics
from expunge.models.spec import NetworkSettings
from expunge.published import Published, published_from, read_table
from expunge.settings import Training
from expunge.studies.claims import check_level

if TYPE_CHECKING:
    from expunge.studies.recipe import Experiment

TABLE = "table"
RTE = "rte_s"


def read_published(
    blocks: object, experiment: Experiment, where: str, inherits: bool = False
) -> tuple[Published, ...]:
    """The published cells of a recipe, from its `[[published]]`, under the names of its grid.

    A block is a cell, or `table = NAME` for a whole table of the package, of which the grid may
    have a part. A scenario may be a kind alone, for all of that kind. Where a scale inherits the
    blocks of its recipe, it may lack their cells.

    Raises:
        ConfigError: a block is neither, the grid has no place for it, or two are the same cell.
    """
    if not isinstance(blocks, list) or not all(isinstance(each, Mapping) for each in blocks):
        raise ConfigError(f"{where}: published must be tables, each under [[published]]")
    found: dict[tuple[Any, ...], Published] = {}
    for index, block in enumerate(blocks, start=1):
        place = f"{where}: published {index}"
        for cell in _cells(block, place):
            _check_names(cell, experiment, place)
            if TABLE not in block and not inherits:
                _check(cell, experiment, place)
            for named in _in_grid(cell, experiment):
                if named.key in found:
                    raise ConfigError(f"{place}: {_name(named)} is there twice by {named.source!r}")
                found[named.key] = named
    return tuple(found.values())


def _cells(block: Mapping[str, Any], place: str) -> tuple[Published, ...]:
    if TABLE not in block:
        return (published_from(block, place),)
    if len(block) > 1:
        others = [name for name in block if name != TABLE]
        raise ConfigError(f"{place}: a block with {TABLE!r} has nothing else, got {others}")
    if not isinstance(block[TABLE], str):
        raise ConfigError(f"{place}: {TABLE} must be a name, got {shown(block[TABLE])}")
    try:
        return read_table(block[TABLE])
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None


def _check(cell: Published, experiment: Experiment, place: str) -> None:
    """Refuse a cell that the grid cannot have."""
    scenarios = experiment.scenarios
    if not _scenarios(cell.scenario, experiment):
        raise ConfigError(f"{place}: {unknown('scenario', cell.scenario, scenarios)}")
    labels = _labels(cell.method, experiment)
    if cell.method != "original" and not labels:
        methods = (*experiment.methods, "original")
        raise ConfigError(f"{place}: {unknown('method', cell.method, methods)}")
    if cell.pruner != "none":
        check_level(experiment, cell.pruner, cell.sparsity, place)
    if labels and not any(experiment.runs_at(label, cell.sparsity) for label in labels):
        raise ConfigError(f"{place}: {cell.method} is not run at sparsity {cell.sparsity}")
    known = [name for name, metric in all_metrics().items() if not metric.detailed]
    for metric in cell.values:
        if metric not in (*known, RTE):
            raise ConfigError(f"{place}: {unknown('metric', metric, (*known, RTE))}")


def _check_names(cell: Published, experiment: Experiment, place: str) -> None:
    """Refuse settings that no recipe has: what is misspelt would never be as published."""
    tables = {"data": DataSpec, "network": NetworkSettings, "training": Training}
    given = {each.name for each in fields(experiment)} - {"recipe", "published", "claims"}
    for name, value in cell.setting.items():
        table, _, rest = name.partition(".")
        if table not in given:
            raise ConfigError(f"{place}: setting: {unknown('setting', name, sorted(given))}")
        if table not in tables:
            continue
        known = [f"{table}.{each.name}" for each in fields(tables[table])]
        if not rest and not isinstance(value, Mapping):
            raise ConfigError(f"{place}: setting: {table} must be a table, got {shown(value)}")
        for each in [rest.partition(".")[0]] if rest else value:
            if f"{table}.{each}" not in known:
                raise ConfigError(f"{place}: setting: {unknown('setting', name, known)}")
    for label in _labels(cell.method, experiment):
        method = experiment.method_of(label)
        known = [each.name for each in fields(get_method(method).config)]
        for name in cell.config:
            if name not in known:
                raise ConfigError(f"{place}: config: {unknown('setting', name, known)}")


def _in_grid(cell: Published, experiment: Experiment) -> Iterator[Published]:
    """The cell under the grid's own names of its scenario and method, or as it is."""
    labels = _labels(cell.method, experiment)
    for scenario in _scenarios(cell.scenario, experiment) or [cell.scenario]:
        for label in labels or [cell.method]:
            yield replace(cell, scenario=scenario, method=label)


def _labels(name: str, experiment: Experiment) -> list[str]:
    """The grid's methods of this label, or that stand for the method of this name."""
    methods = experiment.methods
    return [name] if name in methods else [x for x in methods if experiment.method_of(x) == name]


def _scenarios(name: str, experiment: Experiment) -> list[str]:
    """The grid's scenarios of this name, or of this kind."""
    return [each for each in experiment.scenarios if name in (each, each.partition(":")[0])]


def _name(cell: Published) -> str:
    level = "" if cell.pruner == "none" else f", {cell.pruner} {cell.sparsity}"
    return f"{cell.method} in {cell.scenario}{level}"
