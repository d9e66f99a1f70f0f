"""Subsets of a recipe's grid: some of its scenarios, methods, levels and seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping
from expunge.errors import ConfigError, some, unknown
from expunge.studies.claims import check_claim

if TYPE_CHECKING:
    from expunge.statistics.claims import Claim
    from expunge.studies.recipe import Experiment

SUBSETS = "subsets"
DENSE = "dense"
REFERENCE = "retrain"
SPARSITIES = "sparsities"


@dataclass(frozen=True, kw_only=True)
class Subset:
    """Some of a grid; all of what it does not name."""

    scenarios: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    """By label. Retrain stays where there is one, to compare with."""
    levels: tuple[str, ...] = ()
    """Such as `omp:0.95`. The dense models stay, for the others are made of them."""
    seeds: tuple[int, ...] = ()


def read_subsets(tables: object, experiment: Experiment, where: str) -> dict[str, Subset]:
    """The subsets of a recipe, from its `[subsets.NAME]`.

    Raises:
        ConfigError: they are not subsets of its grid.
    """
    if not isinstance(tables, Mapping) or not all(
        isinstance(each, Mapping) for each in tables.values()
    ):
        raise ConfigError(f"{where}: {SUBSETS} must be tables such as [{SUBSETS}.quick]")
    found = {}
    for name, table in tables.items():
        inner = f"{where}: {SUBSETS}.{name}"
        found[name] = from_mapping(Subset, table, inner)
        _check(found[name], experiment, inner)
        if name in (*experiment.methods, *experiment.scenarios) or "," in name:
            raise ConfigError(f"{inner}: a subset needs a name that no method or scenario has")
    return found


def part_of(
    experiment: Experiment, asked: str, subsets: Mapping[str, Subset]
) -> tuple[Experiment, tuple[str, ...]]:
    """The part of a grid that `--only` asks for, and what that leaves out.

    `asked` is the name of a subset, or methods and scenarios with commas between them.

    Raises:
        ConfigError: there is no such subset, method or scenario, or nothing is left.
    """
    subset = subsets[asked] if asked in subsets else _listed(experiment, asked, subsets)
    try:
        return _narrowed(experiment, subset)
    except ConfigError as error:
        raise ConfigError(f"--only {asked}: {error}") from None


def _listed(experiment: Experiment, asked: str, subsets: Mapping[str, Subset]) -> Subset:
    names = tuple(_split(asked, (*experiment.methods, *experiment.scenarios)))
    known = (*subsets, *experiment.methods, *experiment.scenarios)
    for name in names:
        if name in subsets:
            raise ConfigError(f"--only {asked}: a subset, {name!r}, is asked for alone")
        if name not in known:
            raise ConfigError(f"--only: {unknown('subset, method or scenario', name, known)}")
    return Subset(
        scenarios=tuple(name for name in names if name in experiment.scenarios),
        methods=tuple(name for name in names if name in experiment.methods),
    )


def _split(asked: str, known: Sequence[str]) -> Iterator[str]:
    """The names between commas; a scenario such as `class:3,5` has a comma of its own."""
    parts = [part.strip() for part in asked.split(",")]
    while parts:
        end = next((n for n in range(len(parts), 1, -1) if ",".join(parts[:n]) in known), 1)
        yield ",".join(parts[:end])
        parts = parts[end:]


def _levels(experiment: Experiment) -> dict[str, tuple[str, float]]:
    """The sparse levels of a grid by their text: pruner and sparsity."""
    return {
        f"{pruner}:{config.sparsity:g}": (pruner, config.sparsity)
        for pruner in experiment.pruners
        for config in experiment.pruner_configs(pruner)
    }


def _check(subset: Subset, experiment: Experiment, where: str) -> None:
    there: dict[str, Sequence[Any]] = {
        "scenarios": experiment.scenarios,
        "methods": tuple(experiment.methods),
        "levels": (DENSE, *_levels(experiment)),
        "seeds": experiment.seeds,
    }
    chosen = {each.name: getattr(subset, each.name) for each in fields(subset)}
    if not any(chosen.values()):
        raise ConfigError(f"{where}: expected some of {', '.join(there)}, got none")
    for name, values in chosen.items():
        for value in values:
            if value not in there[name]:
                raise ConfigError(f"{where}: {unknown(name.removesuffix('s'), value, there[name])}")


def _narrowed(experiment: Experiment, subset: Subset) -> tuple[Experiment, tuple[str, ...]]:
    """The experiment of a subset, and what it leaves out, in words."""
    levels = _levels(experiment)
    if subset.levels:
        levels = {text: level for text, level in levels.items() if text in subset.levels}
    methods = _methods(experiment, subset, {0.0, *(sparsity for _, sparsity in levels.values())})
    found = replace(
        experiment,
        scenarios=_some(experiment.scenarios, subset.scenarios),
        methods=methods,
        pruners=_pruners(experiment, levels.values()),
        seeds=_some(experiment.seeds, subset.seeds),
        retrain_again=experiment.retrain_again and REFERENCE in methods,
        claims=(),
    )
    found = replace(found, claims=tuple(each for each in experiment.claims if _has(found, each)))
    return found, tuple(_all_left_out(experiment, found))


def _some(there: tuple[Any, ...], asked: tuple[Any, ...]) -> tuple[Any, ...]:
    """Those that are asked for, in the order of the recipe; all if none is."""
    return tuple(each for each in there if each in asked) if asked else there


def _methods(
    experiment: Experiment, subset: Subset, sparsities: set[float]
) -> dict[str, Mapping[str, Any]]:
    """The tables of the methods that are asked for and have a level left."""
    found = {}
    for label, table in experiment.methods.items():
        if subset.methods and label not in (REFERENCE, *subset.methods):
            continue
        if SPARSITIES not in table:
            found[label] = table
        elif kept := [each for each in table[SPARSITIES] if each in sparsities]:
            found[label] = {**table, SPARSITIES: kept}
    return found


def _pruners(
    experiment: Experiment, levels: Iterable[tuple[str, float]]
) -> dict[str, Mapping[str, Any]]:
    """The tables of the pruners that have a level left."""
    found: dict[str, Mapping[str, Any]] = {}
    for pruner, table in experiment.pruners.items():
        if kept := [sparsity for name, sparsity in levels if name == pruner]:
            several = isinstance(table.get("sparsity"), list)
            found[pruner] = {**table, "sparsity": kept} if several else table
    return found


def _has(experiment: Experiment, claim: Claim) -> bool:
    """Whether a grid has the cells that a claim is about."""
    try:
        check_claim(experiment, claim)
    except ConfigError:
        return False
    return True


def _all_left_out(whole: Experiment, part: Experiment) -> Iterator[str]:
    parts: dict[str, tuple[Iterable[Any], Iterable[Any]]] = {
        "scenario": (whole.scenarios, part.scenarios),
        "method": (whole.methods, part.methods),
        "level": (_levels(whole), _levels(part)),
        "seed": (whole.seeds, part.seeds),
        "claim": (
            [repr(claim.name) for claim in whole.claims],
            [repr(claim.name) for claim in part.claims],
        ),
    }
    for name, (there, kept) in parts.items():
        stays = list(kept)
        if gone := [str(each) for each in there if each not in stays]:
            yield left_out(name, gone)


def left_out(name: str, gone: Sequence[str]) -> str:
    """What a part of a recipe lacks, in words: `seeds 0, 2`."""
    return f"{name}{'s' * (len(gone) > 1)} {some(gone)}"
