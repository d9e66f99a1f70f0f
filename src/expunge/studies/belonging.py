"""Whether a document of results belongs to a recipe: the settings in which the two differ."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from expunge.errors import ConfigError
from expunge.studies.attribution_document import settings_of
from expunge.studies.attribution_recipe import TABLE, read_attribution
from expunge.studies.commands import study_of
from expunge.studies.folder import plain
from expunge.studies.pruning import settings_of as settings_of_pruning
from expunge.studies.pruning_recipe import TABLE as PRUNING
from expunge.studies.pruning_recipe import read_pruning
from expunge.studies.recipe import (
    Experiment,
    experiment_from,
    parse_tables,
    read_experiment,
    read_recipe,
)
from expunge.studies.scales import PAPER, scales_of
from expunge.studies.transfer.study import read_transfer

_NOT_HOW = ("claims", "published", "hessian", "theory")
"""What says nothing of how models were made: claims, those about the theorem too, and published
values, which a recipe may gain later, and the settings of the Hessian, which the command line
gives."""


def differences(
    settings: Mapping[str, Any], recipe: Path, said: Mapping[str, Any] | None = None
) -> list[str]:
    """The dotted names of the settings of a document that are not those of a recipe; sorted.

    `said` is what the document says of its recipe, its `scale` and `only`; one that says nothing is
    compared with the scale that it differs least from. Settings that a document lacks because it is
    older than they are count as their defaults.

    Raises:
        ConfigError: the recipe cannot be read, or has no such scale.
    """
    tables = parse_tables(read_recipe(recipe), str(recipe))
    named = {name: said[name] for name in ("scale", "only") if said and said.get(name) is not None}
    scales = [named] if said else [{"scale": name} for name in scales_of(tables, str(recipe))]
    found = (_from(settings, _of_recipe(recipe, tables, each)) for each in scales)
    return min(found, key=len)


def _from(settings: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    there = _with_defaults(settings, asked)
    return sorted(set(_apart(_relevant(there), _relevant(asked))))


def _of_recipe(path: Path, tables: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a document of this recipe would hold."""
    scale, only = named.get("scale", PAPER), named.get("only")
    study = study_of(tables)
    if study is not None and only is not None:
        raise ConfigError(f"{path}: {study} is measured whole, got only {only!r}")
    if study == "transfer":
        return read_transfer(path, scale).settings()
    if study == TABLE:
        return settings_of(*read_attribution(path, scale))
    if study == PRUNING:
        return settings_of_pruning(*read_pruning(path, scale))
    return plain(read_experiment(path, scale, only))


def _with_defaults(settings: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the defaults that those of a grid did not have when it was measured."""
    known = {field.name for field in fields(Experiment)}
    grid = {name: copy.deepcopy(value) for name, value in settings.items() if name in known}
    for name in _NOT_HOW:
        grid.pop(name, None)
    if "scenarios" not in asked:
        return dict(settings)
    try:
        return {**settings, **plain(experiment_from(grid, "the results"))}
    except ConfigError:  # of a setting that is gone: it is among the differences as it stands
        return dict(settings)


def _relevant(settings: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in settings.items() if name not in _NOT_HOW}
    for study in (TABLE, PRUNING):
        if isinstance(rest.get(study), Mapping):
            rest[study] = {name: each for name, each in rest[study].items() if name not in _NOT_HOW}
    return rest


def _apart(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """The dotted names under which two values differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in one.keys() | other.keys():
            inner = f"{name}.{key}" if name else str(key)
            if key in one and key in other:
                yield from _apart(one[key], other[key], inner)
            else:
                yield inner
    elif one != other:
        yield name
