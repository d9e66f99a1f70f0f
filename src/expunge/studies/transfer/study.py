"""The transfer study of a recipe: influences from one seed, removals for every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from expunge.config import from_mapping, to_mapping
from expunge.data.facts import Facts, resolve
from expunge.data.places import default_cache
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.transfer import check_target
from expunge.runs import Store
from expunge.settings import Training
from expunge.statistics.claims import verdict_on
from expunge.statistics.intervals import Interval, difference
from expunge.studies.folder import plain, recipe_of
from expunge.studies.grid import Base, plan_bases, plan_data
from expunge.studies.made import Makers
from expunge.studies.recipe import (
    Chosen,
    Experiment,
    experiment_from,
    read_recipe,
    recipe_tables,
)
from expunge.studies.scales import PAPER, placed
from expunge.studies.subsets import SUBSETS
from expunge.studies.transfer.influence import InfluencePlan, collect_influence, plan_influence
from expunge.studies.transfer.removal import Removal, collect_removal, plan_removal
from expunge.studies.transfer.settings import (
    InfluenceSettings,
    TransferClaim,
    check_claim,
    check_numbers,
)
from expunge.transfer.probe import ProbeConfig

TRANSFER = "transfer.json"
SCHEMA = 1
_TABLES = ("target", "influence", "probe", "fine_tuning", "claim")
_OF_GRIDS = (SUBSETS, "scenarios", "claims", "metrics", "judging", "retrain_again")


@dataclass(frozen=True, kw_only=True)
class TransferStudy:
    """A source and a target task, and which classes of the source to forget."""

    experiment: Experiment
    """The source data, network, training, pruners, methods and seeds."""
    target: DataSpec
    """The target data; they need validation samples."""
    numbers: tuple[int, ...]
    """How many source classes to forget."""
    influence: InfluenceSettings = field(default_factory=InfluenceSettings)
    """How influences are estimated, on the source model of the first seed."""
    probe: ProbeConfig = field(default_factory=ProbeConfig)
    """The linear probe, by which influences are measured too."""
    fine_tuning: Training | None = None
    """How to train the whole network on the target; None: it is only probed."""
    claim: TransferClaim | None = None
    """The contrast named beforehand."""

    @property
    def ways(self) -> dict[str, ProbeConfig | Training]:
        """How models are brought to the target, by name."""
        tuned = {} if self.fine_tuning is None else {"fine_tuning": self.fine_tuning}
        return {"probe": self.probe, **tuned}

    def settings(self) -> dict[str, Any]:
        """The study as JSON values."""
        found = {**plain(self.experiment), "target": to_mapping(self.target)}
        del found["scenarios"], found["claims"]
        return {
            **found,
            "numbers": list(self.numbers),
            "influence": to_mapping(self.influence),
            "probe": to_mapping(self.probe),
            "fine_tuning": None if self.fine_tuning is None else to_mapping(self.fine_tuning),
            "claim": None if self.claim is None else to_mapping(self.claim),
        }


@dataclass(frozen=True, kw_only=True)
class TransferPlan:
    """What is known of a study before influences are."""

    study: TransferStudy
    source: Facts
    target: Facts
    target_id: str
    bases: list[tuple[int, Base]]
    influence: InfluencePlan


def read_transfer(path: Path, scale: str = PAPER) -> TransferStudy:
    """The transfer study that a TOML file describes, at one of its scales.

    Raises:
        ConfigError: the file is missing, not TOML, or not a transfer study, or has no such scale.
    """
    study = parse_transfer(read_recipe(path), str(path), scale)
    chosen = Chosen(name=path.stem, scale=scale)
    return replace(study, experiment=replace(study.experiment, recipe=chosen))


def parse_transfer(text: str, where: str, scale: str = PAPER) -> TransferStudy:
    """The transfer study that TOML text describes, at one of its scales.

    Raises:
        ConfigError: the text is not TOML, or not a transfer study, or has no such scale.
    """
    tables, where = recipe_tables(text, where, scale), placed(where, scale)
    own = {name: tables.pop(name) for name in _TABLES if name in tables}
    numbers = tables.pop("numbers", None)
    for name in _OF_GRIDS:
        if name in tables:
            raise ConfigError(
                f"{where}: {name} is not for a transfer study, which forgets source classes and "
                "measures target accuracy: leave it out"
            )
    for name, table in own.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where}: {name} must be a table")
    if "target" not in own:
        raise ConfigError(f"{where}: target is missing: expected a table [target] of data")
    whole = isinstance(numbers, list) and all(
        isinstance(each, int) and not isinstance(each, bool) for each in numbers
    )
    if not whole:
        raise ConfigError(
            f"{where}: numbers must be a list of how many source classes to forget, such as "
            f"[1, 5], got {numbers!r}"
        )
    kinds: dict[str, type[Any]] = {
        "target": DataSpec,
        "influence": InfluenceSettings,
        "probe": ProbeConfig,
        "fine_tuning": Training,
        "claim": TransferClaim,
    }
    parts = {
        name: from_mapping(kinds[name], table, f"{where}: {name}") for name, table in own.items()
    }
    # One scenario stands for all: methods take their settings for forgetting classes.
    experiment = experiment_from({**tables, "scenarios": ["class:0"]}, where)
    experiment.refuse_sparsities("the target accuracy is measured")
    experiment.refuse_labels("the target accuracy is measured")
    experiment.refuse_searches("the target accuracy is measured")
    return TransferStudy(experiment=experiment, numbers=tuple(numbers or ()), **parts)


def plan_transfer(graph: Graph, study: TransferStudy, cache: Path | None = None) -> TransferPlan:
    """The source models, the subset models, and how well they serve the target.

    Raises:
        ConfigError: numbers of classes or the claim do not fit.
        DataError: the data cannot be read, or the target does not fit the source.
    """
    data_id, source = plan_data(graph, study.experiment, cache)
    target = resolve(study.target, cache or default_cache())
    check_target(source, target)
    check_numbers(study.numbers, len(source.class_names), study.influence.subsets)
    target_id = add_data(graph, study.target, target)
    bases = [
        (seed, base)
        for seed in study.experiment.seeds
        for base in plan_bases(graph, study.experiment, data_id, seed)
    ]
    if study.claim is not None:
        levels = tuple(dict.fromkeys((base.pruner, base.sparsity) for _, base in bases))
        methods = tuple(study.experiment.methods)
        check_claim(study.claim, study.numbers, methods, tuple(study.ways), levels)
    influence = plan_influence(
        graph, bases[0][1].model_id, source, target_id, study.influence, study.probe
    )
    return TransferPlan(
        study=study,
        source=source,
        target=target,
        target_id=target_id,
        bases=bases,
        influence=influence,
    )


def plan_removals(graph: Graph, plan: TransferPlan, ranking: Sequence[int]) -> list[Removal]:
    """What each method makes of the source models without harmful, helpful and random classes."""
    experiment = plan.study.experiment
    return plan_removal(
        graph,
        plan.bases,
        plan.source,
        plan.target_id,
        ranking,
        plan.study.numbers,
        {name: experiment.method_config(name, "class:0") for name in experiment.methods},
        plan.study.ways,
    )


def collect_transfer(
    store: Store, plan: TransferPlan, removals: Sequence[Removal], reproduce: str
) -> dict[str, Any]:
    """The study's document, from nodes that are all in the store.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    makers = Makers()
    rows = collect_removal(store, removals, plan.source.class_names)
    for row in rows:
        row["made_by"] = makers.of(store.path(row["run"]))
    return {
        "schema": SCHEMA,
        "title": plan.study.experiment.title,
        "source": {"name": plan.source.name, "classes": len(plan.source.class_names)},
        "target": {
            "name": plan.target.name,
            "classes": len(plan.target.class_names),
            "samples": {part: len(each.ids) for part, each in plan.target.parts.items()},
        },
        "makers": makers.listed,
        "settings": plan.study.settings(),
        "reproduce": reproduce,
        **recipe_of(plan.study.experiment, plan.study.settings()),
        "influence": collect_influence(store, plan.influence),
        "removals": rows,
        "summary": summarise(rows),
        "claim": None if plan.study.claim is None else judge_claim(plan.study.claim, rows),
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For every selection, number, method, sparsity and way: accuracy over seeds.

    `gain` is the mean difference to the source model of the same seed and sparsity as it is, with
    its 95 % interval.
    """
    groups: dict[tuple[Any, ...], dict[int, float]] = {}
    for row in rows:
        for way, accuracy in row["accuracy"].items():
            groups.setdefault((*_place(row), way), {})[row["seed"]] = accuracy
    found = []
    for (pruner, sparsity, selection, number, method, way), values in groups.items():
        as_it_is = groups.get((pruner, sparsity, "nothing", 0, "original", way), {})
        found.append(
            {
                "pruner": pruner,
                "sparsity": sparsity,
                "selection": selection,
                "number": number,
                "method": method,
                "way": way,
                "n": len(values),
                "mean": fmean(values.values()),
                "sd": stdev(values.values()) if len(values) > 1 else None,
                "gain": None if method == "original" else interval(difference(values, as_it_is)),
            }
        )
    return found


def judge_claim(claim: TransferClaim, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The verdict on a claim that was named beforehand, over the seeds that both sides have."""
    level = claim.pruner, claim.sparsity
    sides = []
    for selection in ("harmful", claim.against):
        wanted = (*level, selection, claim.number, claim.method)
        if selection == "nothing":
            wanted = (*level, "nothing", 0, "original")
        sides.append(
            {
                row["seed"]: row["accuracy"][claim.how]
                for row in rows
                if _place(row) == wanted and claim.how in row["accuracy"]
            }
        )
    found = difference(*sides)
    return {
        **to_mapping(claim),
        "verdict": verdict_on(found, "higher", claim.effect),
        "difference": interval(found),
    }


def interval(found: Interval | None) -> dict[str, Any] | None:
    """An interval as JSON values; None for none, and for bounds that are not finite."""
    if found is None:
        return None
    low, high = found.bounds
    return {"estimate": found.estimate, "low": low, "high": high, "n": found.n}


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("pruner", "sparsity", "selection", "number", "method"))
